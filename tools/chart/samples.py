"""Values to try the chart with."""

from __future__ import annotations

from typing import Any

EVERYTHING: dict[str, Any] = {
    "pluginApi": {"enabled": True},
    "api": {"autoscaling": {"enabled": True}},
    "plugins": {
        "hello-world-plugin": {"autoscaling": {"kind": "cpu"}},
        "inventory": {"autoscaling": {"kind": "queue"}, "secretEnv": {"TOKEN": "x"}, "settings": {"a": 1}},
    },
    "ingress": {"enabled": True, "hosts": ["a.example.org"], "flowerHost": "f.example.org"},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}], "hostnames": ["a.example.org"]},
    "metrics": {"monitors": True},
    "alerts": {"enabled": True},
    "dashboard": {"enabled": True},
    "backup": {"enabled": True},
}
"""Values with which the chart makes every kind of object that it knows."""

_MIGRATION = """
from django.db import migrations, models

class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel("Shelf", [("id", models.BigAutoField(primary_key=True, serialize=False))]),
        migrations.RunSQL("SELECT * FROM nowhere"),
    ]
"""
_PLUGIN = """
from pagoda_plugin_sdk import Plugin

class ThePlugin(Plugin):
    id = "shelves"
    name = "Shelves"
    version = "1.0.0"
    django_apps = ["generated_shelves"]
"""
_MODELS = """
from django.db import models

class Shelf(models.Model):
    id = models.BigAutoField(primary_key=True)
"""

BAD_MIGRATION_FILES = {
    "generated_shelves/__init__.py": "",
    "generated_shelves/plugin.py": _PLUGIN,
    "generated_shelves/models.py": _MODELS,
    "generated_shelves/migrations/__init__.py": "",
    "generated_shelves/migrations/0001_initial.py": _MIGRATION,
    "dist_shelves-1.0.dist-info/METADATA": (
        "Metadata-Version: 2.3\nName: dist-shelves\nVersion: 1.0\nRequires-Dist: pagoda-plugin-sdk>=1.0\n"
    ),
    "dist_shelves-1.0.dist-info/entry_points.txt": (
        "[pagoda.plugins]\nshelves = generated_shelves.plugin:ThePlugin\n"
    ),
}
"""The files, by path, of an installed plugin `shelves` whose first migration raises."""
