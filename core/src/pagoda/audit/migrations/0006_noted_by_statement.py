from django.db import migrations

from pagoda.audit import append_only
from pagoda.domain.locking import patiently


def note(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        patiently(schema_editor.connection, lambda: append_only.note_pending(schema_editor.connection))


class Migration(migrations.Migration):
    atomic = False  # each attempt to get the lock is a transaction of its own

    dependencies = [("audit", "0005_former_states")]

    operations = [migrations.RunPython(note, migrations.RunPython.noop)]
