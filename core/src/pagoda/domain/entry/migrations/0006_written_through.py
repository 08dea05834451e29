from django.db import migrations, models

from pagoda.domain import triggers


def _on_sqlite(operation):
    # It makes the table anew, without its triggers.
    def run(apps, schema_editor):
        if schema_editor.connection.vendor == 'sqlite':
            operation(apps, schema_editor)

    return run


class Migration(migrations.Migration):
    dependencies = [('entry', '0005_words')]

    operations = [
        migrations.RunPython(_on_sqlite(triggers.drop), _on_sqlite(triggers.make)),
        migrations.AddField(
            model_name='attributevalue',
            name='plugin',
            field=models.CharField(db_default='', default='', editable=False, max_length=100),
        ),
        migrations.AddField(
            model_name='attributevalue',
            name='job_id',
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.RunPython(_on_sqlite(triggers.make), _on_sqlite(triggers.drop)),
    ]
