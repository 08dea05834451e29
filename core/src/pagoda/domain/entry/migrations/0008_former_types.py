from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("entry", "0007_parts_of_names")]

    operations = [
        migrations.AddField(
            model_name="attributevalue",
            name="former_type",
            field=models.PositiveIntegerField(editable=False, null=True),
        ),
    ]
