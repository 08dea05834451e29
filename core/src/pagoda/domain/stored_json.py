"""A JSON column whose numbers come back as they were kept, whatever the database writes of them."""

from __future__ import annotations

import json
from typing import Any

from django.db import models

from pagoda_plugin_sdk.rules.scalar_types import kept_number


class _KeptNumbers(json.JSONDecoder):
    def __init__(self, **options: Any) -> None:  # Any: json's own options
        super().__init__(parse_int=lambda digits: kept_number(int(digits)), **options)


class StoredJSONField(models.JSONField):
    """JSON with values of attributes in it, which nothing else reads before they are used.

    PostgreSQL writes out ``1e+19``, and Python reads those digits as an integer that no attribute may hold.
    Migrations see Django's own field.
    """

    def __init__(self, *args: Any, **options: Any) -> None:  # Any: Django's own arguments
        super().__init__(*args, **{**options, "decoder": _KeptNumbers})

    def deconstruct(self) -> Any:  # Any: Django's tuple
        """Return what migrations write of it."""
        name, _, args, options = super().deconstruct()
        del options["decoder"]
        return name, "django.db.models.JSONField", args, options
