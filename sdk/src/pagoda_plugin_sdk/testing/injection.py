"""Bind host models for the length of a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pagoda_plugin_sdk import models


@contextmanager
def injected(classes: Mapping[str, type[Any]]) -> Iterator[None]:
    """Bind `classes`, ``{"Entry": class, ...}``, in the block; afterwards what was bound before.

    Raises:
        PluginValidationError: a name that is no model's.
    """
    before = models.injected_models()
    try:
        models.inject(classes)
        yield
    finally:
        models.reset()
        models.inject(before)
