"""Give the tests of a suite the Django settings of their distribution, whichever of them are run."""

from __future__ import annotations

import os

import django
import pytest

SPREAD = "TESTS_ARE_SPREAD"
"""The variable of the environment that says that processes of xdist run the tests."""


def use(module: str) -> None:
    """Set Django up with this settings module; a suite's `conftest.py` calls it before it imports models.

    Exits when the process has other settings already: Django knows one settings module per process. One that
    spreads the tests alone, and runs none, does without.
    """
    if SPREAD in os.environ and "PYTEST_XDIST_WORKER" not in os.environ:
        return
    settings = os.environ.setdefault("DJANGO_SETTINGS_MODULE", module)
    if settings != module:
        raise pytest.UsageError(
            f"tests under {module} were asked for in a process that has {settings}: "
            "run the tests of one suite per pytest, or several suites with `make test`"
        )
    django.setup()
    from django.conf import settings as configured

    # A real one computes for most of a second, on purpose; what hashes is Django's to test.
    configured.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
