from django.db import migrations, models

from pagoda.audit import append_only


def put_up(apps, schema_editor):
    append_only.guard(schema_editor.connection)  # SQLite has made the table anew, without its triggers


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_failedlogins")]

    operations = [
        migrations.AddField("auditseal", "up_to", models.BigIntegerField(null=True)),
        migrations.AddField("auditseal", "absent", models.JSONField(default=list)),
        migrations.RunPython(put_up, migrations.RunPython.noop),
    ]
