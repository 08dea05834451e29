"""``/api/v2/audit/``: auditors read and export the log; nobody changes it there."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from pagoda.audit.actions import Action
from pagoda.audit.archiving import exported
from pagoda.audit.models import AuditEvent
from pagoda.audit.recording import record

pytestmark = pytest.mark.django_db

URL = "/api/v2/audit/"


@pytest.fixture
def auditor(client_of: Any, make_user: Any) -> Any:
    user = make_user("auditor")
    user.user_permissions.add(Permission.objects.get(codename="view_auditevent"))
    return client_of(user)


@pytest.fixture
def events(auditor: Any) -> Callable[[], list[str]]:
    """Record some events and return what names those of now."""
    record(Action.LOGOUT, subject="ann", subject_type="user", subject_id=7, plugin="shop")
    record(Action.ROLE_CREATED, subject="Ops", subject_type="role", subject_id=7, details={"größe": [1]})
    record(Action.LOGOUT, subject="bob", subject_type="user", subject_id=8)
    return lambda: list(AuditEvent.objects.values_list("subject", flat=True))


def subjects(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.json()
    return [event["subject"] for event in answer.json()["results"]]


def test_who_is_no_auditor_reads_nothing(api: Any, anonymous: Any, events: Any) -> None:
    pk = AuditEvent.objects.latest("pk").pk
    for path in (URL, f"{URL}{pk}/", f"{URL}export/", f"{URL}999999/"):
        refused = api.get(path)
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
        assert "audit.view_auditevent" in refused.json()["detail"]
        assert anonymous.get(path).status_code == 401


def test_superusers_are_auditors(client_of: Any, make_user: Any, events: Any) -> None:
    assert "Ops" in subjects(client_of(make_user("root", is_superuser=True)).get(URL))


@pytest.mark.usefixtures("events")
class TestList:
    def test_it_shows_the_newest_first_and_each_alone(self, auditor: Any) -> None:
        assert subjects(auditor.get(URL))[:3] == ["bob", "Ops", "ann"]
        shown = auditor.get(URL).json()["results"][1]
        assert (shown["action"], shown["details"], shown["actor"]) == ("role.created", {"größe": [1]}, "host")
        assert auditor.get(f"{URL}{shown['id']}/").json() == shown
        assert auditor.get(f"{URL}999999999/").status_code == 404

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"action": "logout"}, ["bob", "ann"]),
            ({"action": ["logout", "role.created"]}, ["bob", "Ops", "ann"]),
            ({"plugin": "shop"}, ["ann"]),
            ({"subject_type": "role", "subject_id": "7"}, ["Ops"]),
            ({"subject": "bob"}, ["bob"]),
            ({"actor": "nobody"}, []),
            ({"job_id": 5}, []),
            ({"request_id": "abc"}, []),
            ({"happened_before": "2020-01-01T00:00:00Z"}, []),
        ],
        ids=str,
    )
    def test_filters(self, auditor: Any, query: dict[str, Any], found: list[str]) -> None:
        assert subjects(auditor.get(URL, query)) == found

    def test_a_span_of_time(self, auditor: Any) -> None:
        AuditEvent.objects.filter(subject="ann").update(happened_at=timezone.now() - timedelta(days=3))
        moment = (timezone.now() - timedelta(days=1)).isoformat()

        assert "ann" not in subjects(auditor.get(URL, {"happened_after": moment}))
        assert subjects(auditor.get(URL, {"happened_before": moment})) == ["ann"]

    @pytest.mark.parametrize(
        "query",
        [{"action": "rubbish"}, {"actors": "ann"}, {"happened_after": "x"}, {"job_id": "9" * 30}],
        ids=str,
    )
    def test_a_filter_that_is_none_is_named(self, auditor: Any, query: dict[str, str]) -> None:
        answer = auditor.get(URL, query)
        assert answer.status_code == 400
        assert answer.json()["errors"].keys() == query.keys()

    def test_pages_and_what_they_cost(self, auditor: Any, django_assert_max_num_queries: Any) -> None:
        with django_assert_max_num_queries(5):  # token and its use, permissions (2), events
            page = auditor.get(URL, {"limit": 2}).json()
        assert [event["subject"] for event in page["results"]] == ["bob", "Ops"]
        assert subjects(auditor.get(page["next"]))[0] == "ann"

    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
    def test_nobody_changes_it(self, client_of: Any, make_user: Any, method: str) -> None:
        client = client_of(make_user("root", is_superuser=True))
        pk = AuditEvent.objects.latest("pk").pk
        assert getattr(client, method)(f"{URL}{pk}/", {}).status_code == 405
        assert client.post(URL, {}).status_code == 405


@pytest.mark.usefixtures("events")
class TestExport:
    def test_lines_are_those_of_the_command(self, auditor: Any) -> None:
        answer = auditor.get(f"{URL}export/")

        assert answer["Content-Type"] == "application/x-ndjson"
        assert "Link" not in answer
        assert answer.content.decode().splitlines() == list(exported())
        assert [json.loads(line)["subject"] for line in exported()][-3:] == ["ann", "Ops", "bob"]

    def test_its_link_leads_to_what_follows(self, auditor: Any) -> None:
        lines, path = [], f"{URL}export/?action=logout&action=role.created&limit=1"
        while path:
            answer = auditor.get(path)
            assert answer.status_code == 200, answer.content
            lines += answer.content.decode().splitlines()
            path = answer.get("Link", "").partition(">")[0].removeprefix("<")
        assert [json.loads(line)["subject"] for line in lines] == ["ann", "Ops", "bob"]

    @pytest.mark.parametrize("query", ["limit=0", "limit=10001", "after=x", "cursor=1", "offset=1"])
    def test_a_parameter_that_is_none_is_named(self, auditor: Any, query: str) -> None:
        answer = auditor.get(f"{URL}export/?{query}")
        assert answer.status_code == 400
        assert answer.json()["errors"].keys() == {query.partition("=")[0]}
