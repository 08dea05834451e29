"""Hand the host's models to the SDK, where plugins reach them."""

from __future__ import annotations

from django.apps.registry import Apps

from pagoda_plugin_sdk import models

MODEL_LABELS = {
    "Entity": "entity.Entity",
    "Entry": "entry.Entry",
    "EntityAttr": "entity.EntityAttr",
    "Attribute": "entry.Attribute",
    "AttributeValue": "entry.AttributeValue",
    "User": "user.User",
    "Job": "job.Job",
}
"""``{name in pagoda_plugin_sdk.models: Django's label of the host's model}``"""


def inject_models(apps: Apps) -> None:
    """Bind the names of `pagoda_plugin_sdk.models`. Idempotent, and nothing once they are bound."""
    if not models.is_initialized():
        models.inject({name: apps.get_model(label) for name, label in MODEL_LABELS.items()})
