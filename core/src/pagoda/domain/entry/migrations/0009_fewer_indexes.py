import django.db.models.deletion
from django.db import migrations, models

from pagoda.domain.locking import patiently

# Raw SQL, as SQLite would make the tables anew, without their triggers; concurrently, as the former release writes
# meanwhile. The other indexes of the columns are found by their beginnings. A value's entry is that of its attribute,
# whose key PostgreSQL checks: a second check of each row took an eighth of what it does for an import.
MADE = {"entry_entry_of_entity": "entry_entry (schema_id, id)"}
DROPPED = {
    "entry_entry_schema_id_ef46348c": "entry_entry (schema_id)",
    "entry_attribute_parent_entry_id_44c832b5": "entry_attribute (parent_entry_id)",
    "attribute_value_latest": "entry_attributevalue (parent_entry_id) WHERE is_latest AND is_active",
}
KEY = "entry_attributevalue_parent_entry_id_80b1f5c9_fk_entry_entry_id"
KEY_SQL = "FOREIGN KEY (parent_entry_id) REFERENCES entry_entry (id) DEFERRABLE INITIALLY DEFERRED"


def replace(schema_editor, made, dropped):
    word = "CONCURRENTLY" if schema_editor.connection.vendor == "postgresql" else ""
    for name, columns in made.items():
        schema_editor.execute(f"DROP INDEX {word} IF EXISTS {name}", None)  # what an attempt left that broke off
        schema_editor.execute(f"CREATE INDEX {word} {name} ON {columns}", None)
    for name in dropped:
        schema_editor.execute(f"DROP INDEX {word} IF EXISTS {name}", None)


def alter_values(schema_editor, change):
    """Change the table of values, which everybody writes."""
    sql = f"ALTER TABLE entry_attributevalue {change}"
    patiently(schema_editor.connection, lambda: schema_editor.execute(sql, None))


def make(apps, schema_editor):
    replace(schema_editor, MADE, DROPPED)
    if schema_editor.connection.vendor == "postgresql":
        alter_values(schema_editor, f"DROP CONSTRAINT IF EXISTS {KEY}")


def unmake(apps, schema_editor):
    replace(schema_editor, DROPPED, MADE)
    if schema_editor.connection.vendor == "postgresql":
        alter_values(schema_editor, f"DROP CONSTRAINT IF EXISTS {KEY}")  # of an attempt that broke off
        alter_values(schema_editor, f"ADD CONSTRAINT {KEY} {KEY_SQL} NOT VALID")
        schema_editor.execute(f"ALTER TABLE entry_attributevalue VALIDATE CONSTRAINT {KEY}", None)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("entity", "0006_former_states"), ("entry", "0008_former_types")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(make, unmake)],
            state_operations=[
                migrations.RemoveIndex(model_name="attributevalue", name="attribute_value_latest"),
                migrations.AlterField(
                    model_name="entry",
                    name="schema",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="entries",
                        to="entity.entity",
                    ),
                ),
                migrations.AddIndex(
                    model_name="entry",
                    index=models.Index(fields=["schema", "id"], name="entry_entry_of_entity"),
                ),
                migrations.AlterField(
                    model_name="attribute",
                    name="parent_entry",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attrs",
                        to="entry.entry",
                    ),
                ),
                migrations.AlterField(
                    model_name="attributevalue",
                    name="parent_entry",
                    field=models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attribute_values",
                        to="entry.entry",
                    ),
                ),
            ],
        )
    ]
