"""The examples of docs/searching.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pagoda.domain.entry.models import Entry
from tools.kept_rows import made_once

pytestmark = pytest.mark.django_db

PAGE = (Path(__file__).parents[3] / "docs" / "searching.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^    (GET|POST) (/api/\S*)((?:\n    [ {}].*|\n    \{.*)*)", PAGE, re.MULTILINE)


@pytest.fixture
def cmdb(make_entity: Callable[..., Any], make_entry: Callable[..., Any]) -> None:
    made_once(make_cmdb, make_entity, make_entry)


def make_cmdb(make_entity: Callable[..., Any], make_entry: Callable[..., Any]) -> None:
    """What the page's examples are about."""
    rack = make_entity("Rack", room="string")
    host = make_entity("Host", os="string", ram="number", tags="array_string", rack="object")
    service = make_entity("Service", host="object")
    north = make_entry(rack, "r1", room="north")
    web = make_entry(host, "web-1", os="Linux", ram=64, tags=["prod"], rack=north)
    make_entry(host, "db-1", os="Linux 6.1", ram=512)
    make_entry(service, "http", host=web)


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) > 10


@pytest.mark.parametrize(("method", "path", "body"), EXAMPLES)
def test_each_runs_and_most_find_something(
    superuser_api: Any, cmdb: None, method: str, path: str, body: str
) -> None:
    given = json.loads(body) if body.strip() else None
    path = path.replace("/1/", f"/{Entry.objects.get(name='r1').pk}/")
    response = superuser_api.generic(
        method, path, json.dumps(given) if given else "", content_type="application/json"
    )
    assert response.status_code in (200, 201), response.json()
    if "results" in response.json() and "created_user" not in path:
        assert response.json()["results"]
