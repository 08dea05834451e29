from __future__ import annotations

import json
from typing import Any

import pytest

MAKE = """
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.services import create_entries
from pagoda.domain.user.models import User
User.objects.create_superuser("ann")
Entity.objects.create_entity(user=None, name="Rack")
attrs = [{"name": "serial", "type": "string"}, {"name": "rack", "type": "object", "referral": ["Rack"]}]
Entity.objects.create_entity(user=None, name="Host", attrs=attrs)
rows = [{"name": f"h{n}", "attrs": {"serial": str(n)}} for n in range(3)]
create_entries(None, Entity.objects.get(name="Host"), rows)
"""


@pytest.fixture
def filled(pagoda: Any) -> Any:
    pagoda.copy_tables()
    pagoda("manage", "shell", "--verbosity", "0", "-c", MAKE)
    return pagoda


def test_what_is_exported_is_imported(filled: Any) -> None:
    path = filled.folder / "hosts.xlsx"
    assert filled("export", "Rack", "Host", "--output", str(path)) == f"3 entries are in {path}\n"
    told = filled("import", str(path), "--preview")
    assert told == "0 created, 0 updated, 3 unchanged, 0 refused; nothing is written\n"
    csv = filled.folder / "hosts.csv"
    csv.write_text("name,serial,rack\nfirst,0,\nnew,7,nowhere\n")
    arguments = ("import", str(csv), "--entity", "Host", "--key", "serial", "--as", "ann")
    assert "1 refused; nothing is written" in filled(*arguments, status=1)
    skipped = filled(*arguments, "--skip", "--json", status=1)
    report = json.loads(skipped)
    assert (report["created"], report["updated"], report["refused"]) == (0, 1, 1)
    assert (report["refusals"][0]["row"], report["refusals"][0]["column"]) == (3, "rack")


def test_what_can_t_be_done_is_told_in_words(filled: Any) -> None:
    path = filled.folder / "hosts.csv"
    assert "There is no entity 'Hots'" in filled("export", "Hots", "--output", str(path), status=1)
    assert not list(filled.folder.glob("hosts*"))
    absent = str(filled.folder / "absent" / "hosts.csv")
    assert f"{absent}.part: No such file" in filled("export", "--output", absent, status=1)
    assert "does not say its format" in filled("export", "--output", "hosts.doc", status=1)
    path.write_bytes(b"\xff\xff")
    assert "The file is not in UTF-8" in filled("import", str(path), status=1)
    assert "There is no active user 'bob'" in filled("import", str(path), "--as", "bob", status=1)
