from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.django_db


def test_the_root_links_to_paths_that_are_there(anonymous: Any) -> None:
    answer = anonymous.get("/api/v2/")
    assert answer.status_code == 200
    assert {"documentation", "entities", "entries", "jobs", "plugins", "token"} <= set(answer.json())
    found = {url: anonymous.get(url).status_code for url in answer.json().values()}
    assert {url: status for url, status in found.items() if status not in {200, 401, 403, 405}} == {}
    assert found[answer.json()["documentation"]] == 200
