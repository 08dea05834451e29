from django.db import migrations

# Of an expression that no equality is asked of, as PostgreSQL's planner takes the index for `name = ...`, too, and
# such a lookup reads the index's pending list; `pagoda.domain.search.values` has the same expression.
INDEX = "entry_entry_part_of_name"
FORMER = "entry_entry_name_parts"
INDEXED = {INDEX: "(name || '')", FORMER: "name"}


def replace(schema_editor, new, old):
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {new}", None)  # what an attempt left that broke off
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_opclass WHERE opcname = 'gin_trgm_ops')")
        has_trigrams = cursor.fetchone()[0]
    if has_trigrams:
        sql = f"CREATE INDEX CONCURRENTLY {new} ON entry_entry USING gin ({INDEXED[new]} gin_trgm_ops)"
        schema_editor.execute(sql, None)
    schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {old}", None)


def make(apps, schema_editor):
    replace(schema_editor, INDEX, FORMER)


def unmake(apps, schema_editor):
    replace(schema_editor, FORMER, INDEX)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("entry", "0006_written_through")]

    operations = [migrations.RunPython(make, unmake)]
