"""What is done through API and admin is in the audit log, with who did it through which plugin."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def events() -> Callable[[], list[Any]]:
    """Return the events since the last call."""
    from pagoda.audit.models import AuditEvent

    seen = [0]

    def new() -> list[Any]:
        found = list(AuditEvent.objects.filter(pk__gt=seen[0]).order_by("pk"))
        seen[0] = found[-1].pk if found else seen[0]
        return found

    return new


def test_a_write_through_the_api_names_user_and_request(ann: Any, api: Any, events: Any) -> None:
    events()
    response = api.post("/api/v2/entities/", {"name": "Host"}, headers={"X-Request-ID": "r-1"})
    assert response.status_code == 201, response.json()
    (event,) = events()
    assert (event.action, event.actor, event.actor_id) == ("entity.created", "ann", ann.pk)
    assert (event.request_id, event.plugin, event.job_id) == ("r-1", "", None)


def test_a_refused_write_leaves_no_event(api: Any, events: Any) -> None:
    events()
    assert api.post("/api/v2/entities/", {"name": ""}).status_code == 400
    assert events() == []


def test_what_a_hook_writes_is_told_as_its_plugin_s(
    api: Any, events: Any, register: Callable[[Any], Any], make_entity: Any
) -> None:
    from noting_plugin import Noter  # type: ignore[import-not-found]  # on the path of the tests

    register(Noter())
    events()
    assert api.post("/api/v2/entities/", {"name": "Host"}).status_code == 201
    assert [(event.subject, event.actor, event.plugin) for event in events()] == [
        ("Host", "ann", ""),
        ("Noted", "ann", "noter"),
    ]


def test_logins_through_the_api_and_the_admin(make_user: Any, events: Any) -> None:
    user = make_user("root", is_superuser=True)
    user.set_password("right")
    user.save()
    events()
    client = Client()
    for url in ("/api/v2/auth/login/", "/admin/login/"):
        for password in ("hunter2", "right"):
            body = {"username": "root", "password": password}
            if url.startswith("/api/"):
                client.post(url, json.dumps(body), "application/json")
            else:
                client.post(url, body)
    # The second failure is counted, and told with others when their hour has passed
    assert [event.action for event in events()] == ["login.failed", "login.succeeded", "login.succeeded"]


def test_writes_in_the_admin(make_user: Any, events: Any) -> None:
    client = Client()
    client.force_login(make_user("root", is_superuser=True))
    events()
    client.post("/admin/entity/entity/add/", _entity_form("Host"))
    client.post("/admin/auth/group/add/", {"name": "ops"})
    assert Group.objects.get().name == "ops"
    assert [(event.action, event.actor, event.subject) for event in events()] == [
        ("entity.created", "root", "Host"),
        ("group.created", "root", "ops"),
    ]


def test_tokens_given_and_returned(ann: Any, anonymous: Any, events: Any) -> None:
    ann.set_password("right")
    ann.save()
    events()
    body = {"username": "ann", "password": "right", "name": "laptop"}
    token = anonymous.post("/api/v2/auth/token/", body).json()["token"]
    anonymous.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    anonymous.delete("/api/v2/auth/token/")
    made, revoked = events()
    assert (made.action, made.actor, revoked.action, revoked.actor) == (
        "token.made", "ann", "token.revoked", "ann",
    )  # fmt: skip
    assert made.subject == "ann: laptop"


def _entity_form(name: str) -> dict[str, Any]:
    formset = {"TOTAL_FORMS": 0, "INITIAL_FORMS": 0, "MIN_NUM_FORMS": 0, "MAX_NUM_FORMS": 0}
    return {"name": name, "note": "", "default_permission": 8} | {
        f"attrs-{key}": value for key, value in formset.items()
    }
