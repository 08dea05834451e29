"""A POST that is sent again with its Idempotency-Key is answered again, and done once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from pagoda.domain.entry.models import Entry
from pagoda.idempotency.keys import prune
from pagoda.idempotency.models import KeptAnswer

pytestmark = pytest.mark.django_db

URL = "/api/v2/entries/"
NEW = {"name": "new", "schema": "Host", "attrs": {"count": 1}}


def send(client: Any, body: Any, key: str = "one", url: str = URL) -> Any:
    return client.post(url, body, headers={"Idempotency-Key": key})


@pytest.fixture(autouse=True)
def _host(web: Any) -> None:
    """There is an entity to make entries of."""


def test_the_same_request_is_done_once_and_answered_alike(api: Any) -> None:
    first, again = send(api, NEW), send(api, NEW)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert (again["ETag"], again["Content-Type"]) == (first["ETag"], first["Content-Type"])
    assert (first.get("Idempotent-Replayed"), again["Idempotent-Replayed"]) == (None, "true")
    assert Entry.objects.filter(name="new").count() == 1


@pytest.mark.parametrize(("body", "url"), [(NEW | {"note": "x"}, URL), (NEW, "/api/v2/entities/")])
def test_another_request_with_the_key_is_refused(api: Any, body: Any, url: str) -> None:
    send(api, NEW)
    other = send(api, body, url=url)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert send(api, NEW | {"name": "third"}, key="two").status_code == 201


def test_keys_are_each_user_s_own(api: Any, make_user: Any, client_of: Any) -> None:
    send(api, NEW)
    theirs = send(client_of(make_user("bob")), NEW | {"name": "theirs"})
    assert (theirs.status_code, theirs.get("Idempotent-Replayed")) == (201, None)


def test_the_answer_to_what_was_undone_is_kept(api: Any) -> None:
    refused = send(api, NEW | {"name": "web"})
    Entry.objects.filter(name="web").update(name="other")  # it would be made now
    again = send(api, NEW | {"name": "web"})
    assert (again.status_code, again.content) == (refused.status_code, refused.content)
    assert refused.status_code in (400, 409)
    assert not Entry.objects.filter(name="web").exists()


def test_a_request_that_still_runs_is_told_of(api: Any) -> None:
    send(api, NEW)
    KeptAnswer.objects.update(status=None, expires_at=timezone.now() + timedelta(minutes=1))
    second = send(api, NEW)
    assert (second.status_code, second.json()["code"]) == (409, "idempotency_key_running")
    assert second["Retry-After"] == "1"


def test_what_lost_its_process_is_done_again(api: Any) -> None:
    send(api, NEW | {"name": "lost"})
    Entry.objects.filter(name="lost").update(is_active=False)
    KeptAnswer.objects.update(status=None, expires_at=timezone.now())
    again = send(api, NEW | {"name": "lost"})
    assert (again.status_code, again.get("Idempotent-Replayed")) == (201, None)
    assert send(api, NEW | {"name": "lost"})["Idempotent-Replayed"] == "true"


def test_after_a_day_the_key_is_free(api: Any) -> None:
    send(api, NEW)
    (kept,) = KeptAnswer.objects.all()
    assert timedelta(hours=23, minutes=59) < kept.expires_at - timezone.now() <= timedelta(days=1)
    assert prune() == 0
    KeptAnswer.objects.update(expires_at=timezone.now())
    assert send(api, NEW | {"name": "later"}).status_code == 201
    KeptAnswer.objects.update(expires_at=timezone.now())
    assert (prune(), KeptAnswer.objects.count()) == (1, 0)


def test_what_was_not_done_may_be_sent_again(api: Any, anonymous: Any, monkeypatch: Any) -> None:
    from pagoda.domain.entry import services

    def outage(*_args: Any, **_given: Any) -> None:
        from django.db import OperationalError

        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(services, "create_entry", outage)
        assert send(api, NEW).status_code == 503
    assert send(api, NEW).status_code == 201
    assert send(anonymous, NEW, key="two").status_code == 401
    assert KeptAnswer.objects.count() == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "é"])
def test_a_key_that_can_not_be_kept_is_refused(api: Any, key: str) -> None:
    response = send(api, NEW, key=key)
    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key")
    assert not Entry.objects.filter(name="new").exists()


def test_no_answer_with_a_secret_is_kept(api: Any) -> None:
    response = send(api, {"name": "mine"}, url="/api/v2/me/tokens/")
    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key")
    assert not KeptAnswer.objects.exists()


def test_it_costs_nothing_without_a_key(api: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("pagoda_api.conditional.take", None)
    assert api.post(URL, NEW).status_code == 201
    assert api.get(URL, headers={"Idempotency-Key": "one"}).status_code == 200
