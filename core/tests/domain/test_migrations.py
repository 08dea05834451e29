from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command


@pytest.mark.django_db
def test_the_migrations_match_the_models() -> None:
    printed = StringIO()
    call_command("makemigrations", "user", "entity", "entry", check=True, dry_run=True, stdout=printed)
    assert "No changes detected" in printed.getvalue()
