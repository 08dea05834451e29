from django.db import migrations, models

INDEX = "job_user_open"


def make_index(apps, schema_editor):
    # Concurrently on PostgreSQL, as the former release writes meanwhile.
    at_once = ""
    if schema_editor.connection.vendor == "postgresql":
        at_once = "CONCURRENTLY"
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")  # of an attempt that broke off
    schema_editor.execute(f"CREATE INDEX {at_once} {INDEX} ON job_job (user_id) WHERE finished_at IS NULL")


def drop_index(apps, schema_editor):
    at_once = "CONCURRENTLY" if schema_editor.connection.vendor == "postgresql" else ""
    schema_editor.execute(f"DROP INDEX {at_once} IF EXISTS {INDEX}")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('job', '0001_initial'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddIndex(
                    model_name='job',
                    index=models.Index(
                        condition=models.Q(('finished_at', None)), fields=['user'], name=INDEX
                    ),
                ),
            ],
            database_operations=[migrations.RunPython(make_index, drop_index)],
        ),
    ]
