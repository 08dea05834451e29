from django.db import migrations, models

from pagoda.domain import triggers


def _on_sqlite(operation):
    # It makes the table anew, without its triggers.
    def run(apps, schema_editor):
        if schema_editor.connection.vendor == "sqlite":
            operation(apps, schema_editor)

    return run


class Migration(migrations.Migration):
    dependencies = [
        ('entity', '0004_on_delete'),
        ('entry', '0003_current_values'),  # which makes the triggers
    ]

    operations = [
        migrations.RunPython(_on_sqlite(triggers.drop), _on_sqlite(triggers.make)),
        migrations.AddField(
            model_name='entityattr',
            name='is_indexed',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.RunPython(_on_sqlite(triggers.make), _on_sqlite(triggers.drop)),
    ]
