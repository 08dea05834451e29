from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from pagoda.domain.search.naming import identified


def identify(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Keep what saved searches name now by its ids, so that they follow new names."""
    saved = apps.get_model("search", "SavedSearch").objects.filter(named__isnull=True)
    entities = apps.get_model("entity", "Entity").objects.filter(is_active=True)
    attrs = apps.get_model("entity", "EntityAttr").objects.filter(is_active=True, parent_entity__is_active=True)
    for row in saved.iterator(chunk_size=1_000):
        row.named = identified(row.search, entities, attrs)
        row.save(update_fields=["named"])
        row.entities.set(set(row.named["entities"].values()))


class Migration(migrations.Migration):

    dependencies = [
        ('entity', '0006_former_states'),
        ('search', '0001_saved_searches'),
    ]

    operations = [
        migrations.AddField(
            model_name='savedsearch',
            name='named',
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name='savedsearch',
            name='entities',
            field=models.ManyToManyField(related_name='+', to='entity.entity'),
        ),
        migrations.RunPython(identify, migrations.RunPython.noop),
    ]
