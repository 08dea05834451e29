"""The Django app that counts requests in the database where there is no shared cache."""

from __future__ import annotations

from django.apps import AppConfig


class RatesConfig(AppConfig):
    """Holds the table of the counts."""

    name = "pagoda.rates"
    label = "rates"
