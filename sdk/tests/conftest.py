"""Configure what Django and REST framework need for the API classes and URL modules, and no more."""

from __future__ import annotations

import django
from django.conf import settings

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [],
            "UNAUTHENTICATED_USER": None,
            "TEST_REQUEST_DEFAULT_FORMAT": "json",
        },
        ROOT_URLCONF=[],
        SECRET_KEY="tests",
        TIME_ZONE="UTC",
        USE_TZ=True,
    )
    django.setup()
