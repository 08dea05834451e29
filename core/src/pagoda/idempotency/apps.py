"""The Django app of the answers that are kept."""

from __future__ import annotations

from django.apps import AppConfig


class IdempotencyConfig(AppConfig):
    """Holds the table of the answers."""

    name = "pagoda.idempotency"
    label = "idempotency"
