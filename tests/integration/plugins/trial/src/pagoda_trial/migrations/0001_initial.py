from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Trace",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("what", models.CharField(db_index=True, max_length=60)),
                ("subject", models.CharField(db_index=True, max_length=200)),
                ("attempt", models.PositiveIntegerField(default=0)),
                ("host", models.CharField(max_length=64)),
                ("process", models.PositiveIntegerField()),
                ("recorded_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
    ]
