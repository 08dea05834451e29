"""Conditions, orders and pages, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from pagoda.domain.access import readable
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.lookups import IsOneOf
from pagoda.domain.entry.models import Entry
from pagoda.domain.search.bounding import bounded
from pagoda.domain.search.conditions import read_parameters
from pagoda.domain.search.finding import FoundEntries, Query, find
from pagoda.domain.user.models import Level, User
from tools.kept_rows import made_once
from tools.migrated_host import python_on, running_postgres
from tools.servers import missing_programs

pytestmark = pytest.mark.django_db

ON_POSTGRES = "TEST_ON_POSTGRES"


@pytest.fixture
def make_entity(db: None) -> Callable[..., Any]:
    def make(name: str, **types: str) -> Any:
        attrs = [{"name": attr, "type": attr_type} for attr, attr_type in types.items()]
        return Entity.objects.create_entity(user=None, name=name, default_permission=Level.FULL, attrs=attrs)

    return make


@pytest.fixture
def make_entry(db: None) -> Callable[..., Any]:
    def make(entity: Any, name: str, **attrs: Any) -> Any:
        return Entry.objects.create_entry(user=None, schema=entity, name=name, attrs=attrs)

    return make


@pytest.fixture
def ann(db: None) -> User:
    return User.objects.create_user("ann")


@pytest.fixture
def hosts(make_entity: Callable[..., Any], make_entry: Callable[..., Any]) -> dict[str, Any]:
    return made_once(make_hosts, make_entity, make_entry)


def make_hosts(make_entity: Callable[..., Any], make_entry: Callable[..., Any]) -> dict[str, Any]:
    """Three hosts of which each runs services, in racks."""
    rack = make_entity("Rack", room="string")
    host = make_entity(
        "Host",
        os="string",
        ram="number",
        is_up="boolean",
        bought="date",
        seen="datetime",
        tags="array_string",
        sizes="array_number",
        rack="object",
        uplink="named_object",
    )
    service = make_entity("Service", host="object", port="number")
    racks = [make_entry(rack, name, room=room) for name, room in (("r1", "north"), ("r2", "south"))]
    web = make_entry(
        host,
        "web",
        os="Linux",
        ram=64,
        is_up=True,
        bought="2024-01-31",
        seen="2026-03-31T09:30:00+02:00",
        tags=["prod", "dmz"],
        sizes=[1, 10],
        rack=racks[0],
    )
    db = make_entry(
        host,
        "db",
        os="Linux 6.1",
        ram=512.5,
        is_up=False,
        bought="2025-06-01",
        seen="2026-03-31T07:30:00.5Z",
        tags=["prod"],
        sizes=[100],
        rack=racks[1],
        uplink={"name": "eth0", "object": web},
    )
    old = make_entry(host, "old")
    services = {
        name: make_entry(service, name, host=on, port=port)
        for name, on, port in (("http", web, 80), ("sql", db, 5432), ("lost", None, None))
    }
    return {"r1": racks[0], "r2": racks[1], "web": web, "db": db, "old": old} | services


@pytest.fixture
def ask(ann: User, hosts: dict[str, Any]) -> Callable[..., FoundEntries]:
    """What query parameters find, as ann."""

    def found(parameters: str, **query: Any) -> FoundEntries:
        given = parse_qsl(parameters, keep_blank_values=True)
        entity = dict(given).get("entity")
        ids = None if entity is None else [Entity.objects.get(name=entity).pk]
        condition = read_parameters(pair for pair in given if pair[0] != "entity")
        rows = readable(Entry.objects.active(), ann)
        return find(rows, ann, Query(condition=condition, entity_ids=ids, **query))

    return found


def names(found: FoundEntries) -> list[str]:
    return [entry.name for entry in found.rows]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("name=web", ["web"]),
        ("id=99999999999999999999", []),
        ("id=1e300", []),
        ("id__in=1e300,99999999999999999999", []),
        ("id__gt=1e300", []),
        ("id__lt=-1e300", []),
        ("id__lte=1e300&entity=Host", ["web", "db", "old"]),
        ("id__gt=-1e300&entity=Host", ["web", "db", "old"]),
        ("id__ne=1.5&entity=Host", ["web", "db", "old"]),
        ("name__ne=web&entity=Host", ["db", "old"]),
        ("name__in=web,db,nobody", ["web", "db"]),
        ("name__contains=E&entity=Host", ["web"]),
        ("name__startswith=o", ["old"]),
        ("name__regex=^(web|db)$", ["web", "db"]),
        ("name__gte=old&entity=Host", ["web", "old"]),
        ("note__empty=true&entity=Rack", ["r1", "r2"]),
        ("created_time__gt=2020-01-01T00:00:00Z&entity=Rack", ["r1", "r2"]),
        ("updated_time__lt=2020-01-01T00:00:00Z", []),
        ("created_user__empty=true&entity=Rack", ["r1", "r2"]),
        ("created_user=ann", []),
        ("attr.os=Linux", ["web"]),
        ("attr.os__eq=Linux", ["web"]),
        ("attr.os__ne=Linux", ["db", "old"]),
        ("attr.os__contains=linux", ["web", "db"]),
        ("attr.os__startswith=linux 6", ["db"]),
        ("attr.os__contains=%25", []),
        ("attr.os__contains=_", []),
        ("attr.os__regex=6[.]1$", ["db"]),
        ("attr.os__regex=(%3Fi)^linux", ["web", "db"]),
        ("attr.os__in=Linux,Windows", ["web"]),
        ("attr.os__empty=true", ["old"]),
        ("attr.os__empty=false", ["web", "db"]),
        ("attr.os__gt=Linux", ["db"]),
        ("attr.ram=64", ["web"]),
        ("attr.ram=64.0", ["web"]),
        ("attr.ram__gt=64", ["db"]),
        ("attr.ram__gte=64&attr.ram__lt=512.5", ["web"]),
        ("attr.ram__lte=512.5", ["web", "db"]),
        ("attr.ram__in=64,512.5", ["web", "db"]),
        ("attr.ram__ne=64", ["db", "old"]),
        ("attr.ram__empty=true", ["old"]),
        ("attr.is_up=true", ["web"]),
        ("attr.is_up=false", ["db"]),
        ("attr.is_up__ne=true", ["db", "old"]),
        ("attr.bought=2024-01-31", ["web"]),
        ("attr.bought__gte=2025-01-01", ["db"]),
        ("attr.seen=2026-03-31T07:30:00Z", ["web"]),
        ("attr.seen__gt=2026-03-31T09:30:00%2B02:00", ["db"]),
        ("attr.seen__lte=2026-03-31T07:30:00Z", ["web"]),
        ("attr.tags=prod", ["web", "db"]),
        ("attr.tags=prod&attr.tags=dmz", ["web"]),
        ("attr.tags__ne=dmz", ["db", "old"]),
        ("attr.tags__contains=MZ", ["web"]),
        ("attr.tags__empty=true", ["old"]),
        ("attr.tags__in=dmz,x", ["web"]),
        ("attr.sizes__gt=50", ["db"]),
        ("attr.sizes=10", ["web"]),
        ("attr.rack=r1", ["web"]),
        ("attr.rack__ne=r1", ["db", "old"]),
        ("attr.rack__in=r1,r2", ["web", "db"]),
        ("attr.rack__contains=R", ["web", "db"]),
        ("attr.rack__empty=true", ["old"]),
        ("attr.rack__empty=false", ["web", "db"]),
        ("attr.uplink=web", ["db"]),
        ("attr.rack.name__startswith=r2", ["db"]),
        ("attr.rack.attr.room=south", ["db"]),
        ("attr.host.attr.os__eq=Linux", ["http"]),
        ("attr.host.attr.os__ne=Linux", ["sql", "lost"]),
        ("attr.host.attr.ram__gt=100", ["sql"]),
        ("attr.host.attr.rack.attr.room=north", ["http"]),
        ("attr.host.attr.rack=r2", ["sql"]),
        ("attr.host.attr.rack.name=r2", ["sql"]),
        ("attr.host.attr.tags__in=dmz,y", ["http"]),
    ],
)
def test_each_operator_finds_what_it_says(ask: Any, condition: str, found: list[str]) -> None:
    assert names(ask(condition)) == found


@pytest.mark.parametrize(
    ("ordering", "found"),
    [
        ("name", ["db", "old", "web"]),
        ("-name", ["web", "old", "db"]),
        ("attr.ram", ["web", "db", "old"]),
        ("-attr.ram", ["old", "db", "web"]),
        ("attr.seen", ["web", "db", "old"]),
        ("attr.is_up,name", ["db", "web", "old"]),
        ("-created_time", ["old", "db", "web"]),
        ("created_user,-id", ["old", "db", "web"]),
        ("", ["web", "db", "old"]),
    ],
)
def test_orders_hold_over_pages_of_cursors_in_both_directions(
    ask: Any, ordering: str, found: list[str]
) -> None:
    assert names(ask("entity=Host", ordering=ordering)) == found
    pages: list[FoundEntries] = []
    cursor: str | None = ""
    while cursor is not None:
        pages.append(ask("entity=Host", ordering=ordering, cursor=cursor, limit=1))
        cursor = pages[-1].next
    assert [names(page) for page in pages] == [[name] for name in found]
    back = ask("entity=Host", ordering=ordering, cursor=pages[2].previous, limit=1)
    assert (names(back), names(ask("entity=Host", ordering=ordering, cursor=back.next, limit=1))) == (
        [found[1]],
        [found[2]],
    )


def test_values_that_are_missing_beside_an_entry_are_made_before_they_are_looked_for(
    ask: Any, hosts: dict[str, Any]
) -> None:
    Entry.objects.update(current_values=None)
    assert names(ask("attr.os=Linux")) == ["web"]


def test_a_hidden_attribute_is_unknown(ask: Any, hosts: dict[str, Any]) -> None:
    EntityAttr.objects.filter(name="os").update(default_permission=Level.NOTHING)
    with pytest.raises(ValidationError, match="There is no attribute 'os'"):
        ask("attr.host.attr.os=Linux")
    with pytest.raises(ValidationError, match="There is no attribute 'os'"):
        ask("", ordering="-attr.os")


@pytest.mark.parametrize(
    ("text", "found"),
    [("linux", ["web", "db"]), ("dmz linux", ["web"]), ("eth0", ["db"]), ("eb", ["web"]), ("lost%", [])],
)
def test_words_are_found_in_names_and_texts(ask: Any, text: str, found: list[str]) -> None:
    if text == "eb" and connection.vendor == "postgresql":
        found = []  # too short for a part of a name
    assert names(ask("entity=Host", text=text)) == found


def test_parts_of_names_are_found(ask: Any) -> None:
    assert names(ask("", text="tt")) == ([] if connection.vendor == "postgresql" else ["http"])
    assert names(ask("", text="htt")) == ["http"]


@pytest.mark.parametrize(
    "condition",
    [
        "name__contains=ÜBER",
        "name__startswith=äpfel%20%25",
        "attr.os__contains=каша%0aИ",
        "attr.os__startswith=КАША",
        "attr.tags__contains=éT.",
        "attr.rack.attr.room__contains=öst",
    ],
)
def test_capitals_of_all_letters_are_equal_to_small_ones(
    ask: Any, hosts: dict[str, Any], make_entry: Any, condition: str
) -> None:
    rack = make_entry(hosts["r1"].schema, "r3", room="Nord-ÖST")
    tags = ["É", "ét.É"]
    make_entry(hosts["web"].schema, "Äpfel %\\ über", os="Каша\nи ещё", tags=tags, rack=rack)
    assert names(ask(condition)) == ["Äpfel %\\ über"]


@pytest.mark.parametrize("word", ["ÄPFEL", "äpfel", "каша"])
def test_words_are_found_whatever_their_capitals_are(
    ask: Any, hosts: dict[str, Any], make_entry: Any, word: str
) -> None:
    make_entry(hosts["web"].schema, "Äpfel", os="КАША")
    assert names(ask("", text=word)) == ["Äpfel"]


def test_words_of_hidden_and_removed_attributes_are_not_found(ask: Any, hosts: dict[str, Any]) -> None:
    attr = EntityAttr.objects.get(name="os")
    attr.default_permission = Level.NOTHING
    attr.save()
    assert names(ask("", text="linux")) == []
    assert names(ask("", text="dmz")) == ["web"]
    EntityAttr.objects.filter(pk=attr.pk).update(default_permission=Level.FULL, is_active=False)
    assert names(ask("", text="linux")) == []


def test_an_entry_with_very_long_texts_is_stored_and_found(ask: Any, hosts: dict[str, Any]) -> None:
    words = " ".join(f"{number:x}-{number:o}" for number in range(60_000))
    hosts["web"].set_attrs(
        None, os=words[:60_000], tags=[words[start : start + 60_000] for start in (0, 200_000)]
    )
    assert names(ask("", text="1-1")) == ["web"]


def test_a_fraction_of_an_id_is_none(ask: Any, hosts: dict[str, Any]) -> None:
    web, db = hosts["web"].pk, hosts["db"].pk
    assert (names(ask(f"id={web}.0")), names(ask(f"id={web}.5"))) == (["web"], [])
    assert names(ask(f"id__in={web}.5,{db}")) == ["db"]
    for bounds in (f"id__gt={web}.5&id__lt={db}.5", f"id__gte={web}.5&id__lte={db}.5"):
        assert names(ask(bounds)) == ["db"]


def test_one_of_many_is_found_by_the_type_of_its_column(hosts: dict[str, Any]) -> None:
    def found(column: str, values: Sequence[Any]) -> list[str]:
        rows = Entry.objects.filter(IsOneOf(column, values)).order_by("name")
        return list(rows.values_list("name", flat=True))

    Entry.objects.filter(pk=hosts["web"].pk).update(name="7")
    pks = [hosts["web"].pk, hosts["db"].pk, 2**62]
    assert found("pk", pks) == found("pk", list(map(str, pks))) == ["7", "db"]
    assert found("schema", [hosts["web"].schema_id]) == ["7", "db", "old"]
    assert found("name", [7, "db"]) == ["7", "db"]
    assert found("pk", []) == found("name", []) == []


def test_a_search_that_takes_too_long_is_ended(ask: Any, settings: Any) -> None:
    settings.PAGODA = settings.PAGODA.model_copy(update={"search_timeout_seconds": 0.2})
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(ValidationError, match="SEARCH_TIMEOUT_SECONDS"), bounded():
        connection.cursor().execute(endless)
    assert names(ask("attr.os=Linux")) == ["web"]
    filtered = Entry.objects.active().extra(where=[f"({endless}) > 0"])  # by whatever a list filters
    with pytest.raises(ValidationError, match="SEARCH_TIMEOUT_SECONDS"):
        find(filtered, None, Query(is_filtered=True))


@pytest.mark.skipif(bool(os.environ.get(ON_POSTGRES)), reason="this is that run")
@pytest.mark.skipif("postgresql" in missing_programs(), reason="PostgreSQL is not installed")
def test_all_this_on_postgresql(tmp_path: Path) -> None:
    with running_postgres() as server:
        command = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-n", "0", __file__)
        ended = python_on(server, tmp_path, *command, TEST_ON_POSTGRES="1")
    assert ended.returncode == 0, ended.stdout[-5000:]
