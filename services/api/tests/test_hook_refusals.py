"""Plugins that refuse a write: 400 with the plugin, and nothing is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hooked_plugin import plugin_with, raising  # type: ignore[import-not-found]  # conftest finds it
from rest_framework import serializers

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import AttributeValue, Entry
from pagoda_plugin_sdk.exceptions import HookRejected

pytestmark = pytest.mark.django_db

ENTRIES = "/api/v2/entries/"
ENTITIES = "/api/v2/entities/"


@pytest.mark.parametrize(
    ("refusal", "text"),
    [
        (ValueError("no such rack"), "no such rack"),
        (ValidationError("no such rack"), "no such rack"),
        (ValidationError({"address": ["taken"]}), "taken"),
        (serializers.ValidationError({"address": ["taken"]}), "taken"),
        (serializers.ValidationError("no such rack"), "no such rack"),
        (HookRejected("no such rack"), "no such rack"),
    ],
    ids=["ValueError", "Django", "Django by field", "DRF by field", "DRF", "HookRejected"],
)
@pytest.mark.parametrize("method", ["post", "patch"])
def test_validate_answers_400_with_the_plugin(
    api: Any, web: Any, register: Callable[[Any], Any], method: str, refusal: Exception, text: str
) -> None:
    register(plugin_with({"entry.validate": raising(refusal)}, "checker"))
    stored = snapshot()

    response = write(api, web, method)

    assert response.status_code == 400
    body = response.json()
    assert (body["plugin"], body["code"]) == ("checker", "hook_rejected")
    assert "'checker'" in body["detail"]
    assert text in body["detail"]
    assert body.get("address") == (["taken"] if text == "taken" else None)
    assert snapshot() == stored


@pytest.mark.parametrize(
    ("hook", "method"),
    [
        ("entry.before_create", "post"),
        ("entry.before_update", "patch"),
        ("entry.before_delete", "delete"),
    ],
)
def test_before_hook_may_refuse_too(
    api: Any, web: Any, register: Callable[[Any], Any], hook: str, method: str
) -> None:
    register(plugin_with({hook: raising(HookRejected("not today"))}, "keeper"))
    stored = snapshot()

    response = write(api, web, method)

    assert response.status_code == 400
    assert response.json()["plugin"] == "keeper"
    assert "not today" in response.json()["detail"]
    assert snapshot() == stored


@pytest.mark.parametrize("hook", ["entity.before_create", "entity.before_update", "entity.before_delete"])
def test_before_hook_may_refuse_changes_of_entities(
    api: Any, make_entity: Callable[..., Any], register: Callable[[Any], Any], hook: str
) -> None:
    host = make_entity("Host")
    register(plugin_with({hook: raising(HookRejected("not today"))}, "keeper"))

    url = f"{ENTITIES}{host.pk}/"
    send = {
        "entity.before_create": lambda: api.post(ENTITIES, {"name": "New"}),
        "entity.before_update": lambda: api.patch(url, {"note": "n"}),
        "entity.before_delete": lambda: api.delete(url),
    }
    response = send[hook]()

    assert response.status_code == 400
    assert response.json()["plugin"] == "keeper"
    assert list(Entity.objects.values_list("name", "note", "is_active")) == [("Host", "", True)]


def test_restore_may_be_refused(api: Any, web: Any, register: Callable[[Any], Any]) -> None:
    web.delete()
    register(plugin_with({"entry.before_restore": raising(HookRejected("not today"))}, "keeper"))

    response = api.post(f"{ENTRIES}{web.pk}/restore/")

    assert (response.status_code, response.json()["plugin"]) == (400, "keeper")
    assert not Entry.objects.get().is_active


def write(api: Any, entry: Any, method: str) -> Any:
    if method == "post":
        return api.post(ENTRIES, {"name": "new", "schema": "Host", "attrs": {"address": "10.0.0.9"}})
    if method == "patch":
        return api.patch(f"{ENTRIES}{entry.pk}/", {"name": "new", "attrs": {"address": "10.0.0.9"}})
    return api.delete(f"{ENTRIES}{entry.pk}/")


def snapshot() -> list[Any]:
    """Return what is stored of entries and their values."""
    entries = Entry.objects.order_by("pk").values_list("name", "note", "is_active")
    versions = AttributeValue.objects.order_by("pk").values_list("parent_entry", "value", "is_latest")
    return [list(entries), list(versions)]
