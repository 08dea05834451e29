from django.db import migrations

# Of bounded length, as PostgreSQL would refuse the write; `pagoda.domain.search.text` has the same expression.
INDEX = "entry_entry_words"
DOCUMENT = (
    "(to_tsvector('simple'::regconfig, name || ' ' || note) || CASE WHEN octet_length(current_values::text) <= 250000"
    " THEN jsonb_to_tsvector('simple'::regconfig, COALESCE(current_values, '{}'::jsonb), '[\"string\"]'::jsonb)"
    " ELSE to_tsvector('simple'::regconfig, left(COALESCE(current_values::text, ''), 250000)) END)"
)


def make(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        drop(apps, schema_editor)  # what an attempt left that broke off
        schema_editor.execute(f"CREATE INDEX CONCURRENTLY {INDEX} ON entry_entry USING gin ({DOCUMENT})", None)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}", None)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("entry", "0004_searched")]

    operations = [migrations.RunPython(make, drop)]
