"""The WSGI application; importing it boots the host, plugins and their URLs included."""

from __future__ import annotations

import logging
import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from pagoda.config.logging import configure_logging
from pagoda.config.sentry import configure_sentry
from pagoda.plugins.migrations import report_missing
from pagoda.plugins.registry import registry
from pagoda_api.prefix import below_prefix

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pagoda_api.settings")

configure_logging(settings.PAGODA, service="api")  # before the plugins boot: they are worth a record
configure_sentry(settings.PAGODA, service="api")
logging.getLogger("django.request").setLevel(logging.ERROR)  # the access log has what is below

application = below_prefix(get_wsgi_application(), settings.PAGODA.pagoda_path_prefix)

# Django imports URL modules at the first request; a plugin's that fails is to be reported at start-up.
get_resolver()._populate()
report_missing(registry())
import_module("pagoda_api.overrides").check_entities()

# Before the server forks: its workers share what the fence counts.
import_module("pagoda_api.endpoint_fence").endpoint_fence()
