"""Requests in which handlers of plugins go wrong: answered, with what is stored, and the plugin is named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hooked_plugin import plugin_with, raising  # type: ignore[import-not-found]  # conftest finds it
from structlog.testing import capture_logs

from pagoda.domain.entry.models import Entry
from pagoda.fencing.models import Breaker
from pagoda.fencing.store import DatabaseStore
from pagoda.hooks.testing import fresh_breaker
from pagoda_plugin_sdk.decorators import entry_hook
from pagoda_plugin_sdk.plugin import Plugin

ENTRIES = "/api/v2/entries/"
ENTITIES = "/api/v2/entities/"


UNFIT: tuple[Any, ...] = (float("nan"), object(), "\ud800", {1}, b"x")
SHOWING = ["entry.before_update", "entry.validate", "entry.after_update", "entry.get_attrs"]


@pytest.fixture
def host(make_entity: Callable[..., Any]) -> Any:
    return make_entity("Host", address="string")


@pytest.fixture
def web(host: Any, make_entry: Callable[..., Any]) -> Any:
    return make_entry(host, "web", address="10.0.0.1")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value", [float("nan"), object(), "\ud800", {1}, b"x"], ids=lambda v: type(v).__name__
)
def test_attributes_that_no_answer_can_hold(
    api: Any, register: Callable[[Any], Any], host: Any, web: Any, value: Any
) -> None:
    before = {
        path: api.get(path).json() for path in (f"{ENTRIES}{web.pk}/", ENTRIES, f"{ENTITIES}{host.pk}/")
    }
    bad = [{"name": "bad", "value": value}]
    with fresh_breaker() as breaker:
        register(plugin_with({hook: lambda *_: bad for hook in ("entry.get_attrs", "entity.get_attrs")}))
        for path, answer in before.items():
            response = api.get(path)
            assert (response.status_code, response.json()) == (200, answer)
        response = api.post(ENTRIES, {"name": "new", "schema": "Host", "attrs": {"address": "10.0.0.2"}})
        assert response.status_code == 201
        assert [(state.surface, state.failures) for state in breaker.states()] == [("hook", 4)]
        assert "UnusableResult" in breaker.states()[0].last_error


@pytest.mark.django_db
def test_what_an_error_quotes_is_shown_to_staff_alone(
    api: Any, client_of: Any, make_user: Any, serve: Any, web: Any
) -> None:
    class Faulty(Plugin):
        id = name = "faulty"

        @entry_hook("after_update")
        def fail(self, entity_name: str, user: Any, entry: Any, **_: Any) -> None:
            raise RuntimeError("address is 10.0.0.1")

    serve(Faulty())
    assert api.patch(f"{ENTRIES}{web.pk}/", {"note": "changed"}).status_code == 200

    def errors(client: Any) -> list[str | None]:
        plugin = client.get("/api/v2/plugins/faulty/").json()
        listed = client.get("/api/v2/plugins/").json()["results"]
        del plugin["settings"]  # of one plugin alone
        assert plugin in listed
        return [breaker["last_error"] for breaker in plugin["breakers"]]

    assert errors(api) == [None]
    assert errors(client_of(make_user("root", is_superuser=True))) == ["RuntimeError: address is 10.0.0.1"]
    assert "10.0.0.1" not in api.get("/api/v2/plugins/health/").content.decode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("text", ["\ud800", "a\x00b"], ids=ascii)
def test_an_error_that_no_column_can_hold(
    api: Any, register: Callable[[Any], Any], web: Any, text: str
) -> None:
    with fresh_breaker(store=DatabaseStore()):
        register(plugin_with({"entry.after_update": raising(RuntimeError(text))}))
        response = api.patch(f"{ENTRIES}{web.pk}/", {"note": "changed"})
    assert response.status_code == 200
    assert Entry.objects.get(pk=web.pk).note == "changed"
    row = Breaker._default_manager.get()
    assert (row.failures, row.last_error.isprintable()) == (1, True)
    assert "RuntimeError" in row.last_error


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal("NaN"), "NaN"),
        (Decimal("Infinity"), "Infinity"),
        (Decimal("1.50"), "1.50"),
        (timedelta(seconds=90), "0:01:30"),
        (date(2026, 1, 31), "2026-01-31"),
    ],
    ids=str,
)
def test_attributes_are_answered_as_the_fence_saw_them(
    api: Any, register: Callable[[Any], Any], web: Any, value: object, shown: str
) -> None:
    def odd(_entry: Entry, attrinfo: Any, _is_retrieve: bool) -> Any:
        return [*attrinfo, {"name": "odd", "value": value}]

    register(plugin_with({"entry.get_attrs": odd}))
    for response in (api.get(f"{ENTRIES}{web.pk}/"), api.patch(f"{ENTRIES}{web.pk}/", {"note": "changed"})):
        assert response.status_code == 200
        assert response.json()["attrs"][-1] == {"name": "odd", "value": shown}


@pytest.mark.django_db
@pytest.mark.parametrize("item", [{}, {"id": 1}, {"name": {}}, {"name": None}, [], "x"], ids=str)
def test_attributes_without_a_name_are_the_handlers_fault(
    api: Any, register: Callable[[Any], Any], web: Any, item: object
) -> None:
    register(plugin_with({"entry.get_attrs": lambda _entry, attrinfo, _is_retrieve: [*attrinfo, item]}))
    with capture_logs() as logs:
        response = api.get(f"{ENTRIES}{web.pk}/")
    assert [attr["name"] for attr in response.json()["attrs"]] == ["address"]
    [failed] = [log for log in logs if log["event"] == "hook_failed"]
    assert "attrinfo[1], expected a dict with 'name'" in failed["error"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "hook", ["entry.before_update", "entry.validate", "entry.after_update", "entry.get_attrs"]
)
def test_an_answer_shows_what_is_stored(
    api: Any, register: Callable[[Any], Any], web: Any, hook: str
) -> None:
    def spoil(*args: Any) -> None:
        for held in args:
            if isinstance(held, Entry):
                held.note = held.name = "in memory alone"

    register(plugin_with({hook: spoil}))
    response = api.patch(f"{ENTRIES}{web.pk}/", {"note": "changed"})
    stored = Entry.objects.get(pk=web.pk)
    shown = response.json()
    assert (shown["name"], shown["note"]) == (stored.name, stored.note) == ("web", "changed")


@pytest.mark.django_db
def test_a_refusal_whose_words_no_answer_can_hold(api: Any, register: Callable[[Any], Any], web: Any) -> None:
    register(plugin_with({"entry.validate": raising(ValueError("no \ud800"))}))
    response = api.patch(f"{ENTRIES}{web.pk}/", {"note": "changed"})
    assert response.status_code == 400
    assert "no \\ud800" in response.json()["detail"]
