"""Paging of plugin lists."""

from __future__ import annotations

from rest_framework.pagination import LimitOffsetPagination


class PluginPagination(LimitOffsetPagination):
    """``?limit=&offset=``, 100 rows unless asked, 1,000 at most: ``{count, next, previous, results}``."""

    default_limit = 100
    max_limit = 1000
