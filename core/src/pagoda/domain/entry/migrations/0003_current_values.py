from django.db import migrations, models

from pagoda.domain import triggers

INDEX = "entry_entry_current_values"


def make_index(apps, schema_editor):
    # Concurrently, as the former release writes meanwhile; SQLite has no such index.
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")  # of an attempt that broke off
        schema_editor.execute(
            f"CREATE INDEX CONCURRENTLY {INDEX} ON entry_entry USING gin (current_values jsonb_path_ops)"
        )


def drop_index(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":  # PostgreSQL drops these with the column
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND name LIKE 'pagoda_value_%'")
            for (name,) in cursor.fetchall():
                schema_editor.execute(f"DROP INDEX {name}")
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('entity', '0003_attrs_version'),
        ('entry', '0002_bound_base_manager'),
    ]

    operations = [
        migrations.AddField(
            model_name='entry',
            name='current_values',
            field=models.JSONField(editable=False, null=True, serialize=False),
        ),
        migrations.AddField(
            model_name='attributevalue',
            name='is_in_entry',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.RunPython(triggers.make, triggers.drop),
        migrations.RunPython(make_index, drop_index),
    ]
