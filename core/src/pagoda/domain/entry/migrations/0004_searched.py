from django.db import migrations

# Concurrently, as the former release writes meanwhile. Parts of names need pg_trgm, which a database may not have.
POSTGRESQL = {
    "entry_entry_no_values": "(id) WHERE current_values IS NULL",
    "entry_entry_updated": "(updated_time, id)",
    "entry_entry_name": "(name, id)",
}
TRIGRAMS = "entry_entry_name_parts"


def make(apps, schema_editor):
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        for name, columns in POSTGRESQL.items():
            schema_editor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON entry_entry {columns}", None)
        return
    drop(apps, schema_editor)  # what an attempt left that broke off
    for name, columns in POSTGRESQL.items():
        schema_editor.execute(f"CREATE INDEX CONCURRENTLY {name} ON entry_entry {columns}", None)
    with connection.cursor() as cursor:
        cursor.execute(
            "DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS pg_trgm; "
            "EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN NULL; END $$"
        )
        cursor.execute("SELECT EXISTS (SELECT FROM pg_opclass WHERE opcname = 'gin_trgm_ops')")
        has_trigrams = cursor.fetchone()[0]
    if has_trigrams:
        schema_editor.execute(
            f"CREATE INDEX CONCURRENTLY {TRIGRAMS} ON entry_entry USING gin (name gin_trgm_ops)", None
        )


def drop(apps, schema_editor):
    word = "CONCURRENTLY" if schema_editor.connection.vendor == "postgresql" else ""
    for name in (*POSTGRESQL, TRIGRAMS):
        schema_editor.execute(f"DROP INDEX {word} IF EXISTS {name}", None)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("entry", "0003_current_values")]

    operations = [migrations.RunPython(make, drop)]
