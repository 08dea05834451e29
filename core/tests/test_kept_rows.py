from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import transaction

from pagoda.domain.entity.models import Entity
from tools.flushed_database import Rows, rows_of_all_tables
from tools.kept_rows import made_once

pytestmark = pytest.mark.django_db


def made(make: Callable[..., Any], *args: int) -> tuple[Any, Rows]:
    """Return what is returned and stored, and undo it, as the end of a test does."""
    with transaction.atomic():
        entity = made_once(make, *args)
        rows = rows_of_all_tables()
        transaction.set_rollback(True)
    return entity, rows


def test_rows_are_made_once_and_stored_again() -> None:
    calls = []

    def make(attrs: int) -> Entity:
        calls.append(attrs)
        names = [{"name": f"a{number}", "type": "string"} for number in range(attrs)]
        return Entity.objects.create_entity(user=None, name="Host", attrs=names)

    first, rows = made(make, 2)
    again, stored = made(make, 2)
    third, held = made(make, 2)

    assert calls == [2]
    assert stored == held == rows
    assert len(rows["entity_entityattr"]) == 2
    assert again == third == first
    assert again is not first
    assert made(make, 3)[0] == first
    Group.objects.create(name="of other ids")
    made(make, 2)
    assert calls == [2, 3, 2]


def test_rows_that_were_there_are_not_to_change() -> None:
    Group.objects.create(name="there")

    with pytest.raises(ValueError, match="rows of auth_group were changed"):
        made(lambda: Group.objects.update(name="changed"))
