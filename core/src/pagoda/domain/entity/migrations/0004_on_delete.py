from django.db import migrations, models

from pagoda.domain import triggers


def _on_sqlite(operation):
    # It makes the table anew, without its triggers.
    def run(apps, schema_editor):
        if schema_editor.connection.vendor == "sqlite":
            operation(apps, schema_editor)

    return run


class Migration(migrations.Migration):
    dependencies = [("entity", "0003_attrs_version"), ("entry", "0003_current_values")]

    operations = [
        migrations.RunPython(_on_sqlite(triggers.drop), _on_sqlite(triggers.make)),
        migrations.AddField(
            model_name="entityattr",
            name="on_delete",
            field=models.CharField(
                choices=[("null", "null"), ("protect", "protect"), ("chain", "chain")],
                db_default="null",
                default="null",
                max_length=10,
            ),
        ),
        migrations.RunPython(_on_sqlite(triggers.make), _on_sqlite(triggers.drop)),
    ]
