from django.db import migrations

from pagoda.domain import statement_keys

# Not in one transaction: each statement locks its two tables for a moment, while the former release writes.


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("entry", "0009_fewer_indexes")]

    operations = [migrations.RunPython(statement_keys.make, statement_keys.unmake)]
