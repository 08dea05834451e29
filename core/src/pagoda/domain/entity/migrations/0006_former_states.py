import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from pagoda.domain import triggers


def drop_on_sqlite(apps, schema_editor):
    # PostgreSQL replaces them: to drop one locks its table for readers, and those that hold another would deadlock.
    if schema_editor.connection.vendor == "sqlite":
        triggers.drop(apps, schema_editor)


class Migration(migrations.Migration):
    dependencies = [
        ('entity', '0005_indexed_attributes'),
        ('entry', '0006_written_through'),
    ]

    operations = [
        migrations.CreateModel(
            name='FormerState',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject_type', models.CharField(max_length=10)),
                ('subject_id', models.BigIntegerField()),
                ('name', models.CharField(max_length=200)),
                ('note', models.TextField()),
                ('is_active', models.BooleanField()),
                ('more', models.JSONField(default=dict)),
                ('until', models.DateTimeField()),
                ('plugin', models.CharField(db_default='', default='', max_length=100)),
                ('job_id', models.BigIntegerField(null=True)),
                ('is_told', models.BooleanField(db_default=False, default=False)),
                ('created_user', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['id'],
                'indexes': [
                    models.Index(fields=['subject_type', 'subject_id', 'id'], name='former_state_subject'),
                    models.Index(condition=models.Q(('is_told', False)), fields=['subject_type', 'subject_id'], name='former_state_untold'),
                ],
            },
        ),
        migrations.RunPython(drop_on_sqlite, triggers.make),
        migrations.RunPython(triggers.make, triggers.drop),
    ]
