from django.db import migrations

from pagoda.audit import append_only


def put_up(apps, schema_editor):
    append_only.note_pending(schema_editor.connection)
    append_only.guard(schema_editor.connection)


def take_down(apps, schema_editor):
    append_only.unguard(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [migrations.RunPython(put_up, take_down)]
