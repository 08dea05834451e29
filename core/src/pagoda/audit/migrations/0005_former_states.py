from django.db import migrations

from pagoda.audit import append_only


def make(apps, schema_editor):
    append_only.tell_former_states(schema_editor.connection)


def drop(apps, schema_editor):
    append_only.leave_former_states(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [('audit', '0004_seals_account_for_ids'), ('entity', '0006_former_states')]

    operations = [migrations.RunPython(make, drop)]
