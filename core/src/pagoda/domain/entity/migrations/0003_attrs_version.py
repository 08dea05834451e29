from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('entity', '0002_owner'),
    ]

    operations = [
        migrations.AddField(
            model_name='entity',
            name='attrs_version',
            field=models.BigIntegerField(db_default=0, default=0, editable=False, serialize=False),
        ),
    ]
