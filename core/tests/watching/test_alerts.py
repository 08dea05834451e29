"""Alerts: one notice for each transition, whoever evaluates, sent to a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from pagoda.config.loading import load_settings
from pagoda.jobs.clock import after
from pagoda.watching.alerts import evaluation
from pagoda.watching.alerts.evaluation import evaluate
from pagoda.watching.alerts.notifying import Notice, addresses, deliver, sender, tell
from pagoda.watching.alerts.rules import AlertFinding
from pagoda.watching.models import AlertState

pytestmark = pytest.mark.django_db


class Rule:
    """A rule that finds what it is told to."""

    def __init__(self) -> None:
        self.found: list[AlertFinding] = []
        self.is_broken = False

    def __call__(self, _facts: object) -> Iterator[AlertFinding]:
        if self.is_broken:
            raise RuntimeError("the database is away")
        yield from self.found


@pytest.fixture
def rule(monkeypatch: pytest.MonkeyPatch) -> Rule:
    made = Rule()
    monkeypatch.setattr(evaluation, "RULES", {"queue_age": made})
    return made


WRONG = AlertFinding(subject="plugin.shop", text="A job waits.", plugin="shop")


def notices(recorder: Any, silenced: frozenset[str] = frozenset()) -> list[str]:
    """Tell what is due and return the titles that the server has."""
    tell(sender(load_settings({"ALERT_URLS": recorder.url})), silenced)
    return [notice["title"] for notice in recorder.notices]


def test_each_transition_is_told_once(rule: Rule, recorder: Any) -> None:
    fired, resolved = ("[FIRING] Pagoda: queue_age plugin.shop", "[RESOLVED] Pagoda: queue_age plugin.shop")
    assert (evaluate(), notices(recorder)) == (0, [])
    rule.found = [WRONG]
    assert [evaluate(), evaluate()] == [1, 0]
    assert [notices(recorder), notices(recorder)] == [[fired], [fired]]
    rule.found = []
    assert [evaluate(), evaluate()] == [1, 0]
    assert [notices(recorder), notices(recorder)] == [[fired, resolved]] * 2
    rule.found = [WRONG]
    evaluate()
    assert notices(recorder) == [fired, resolved, fired]
    assert recorder.notices[0]["message"] == "A job waits."
    assert [notice["type"] for notice in recorder.notices] == ["failure", "success", "failure"]


def test_of_two_dispatchers_one_wins(rule: Rule, recorder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rule.found = [WRONG]
    real = AlertState.objects.filter

    def filter_late(*args: Any, **kwargs: Any) -> Any:
        """Show the rows as they were before the other dispatcher wrote."""
        return real(pk=0) if kwargs == {"rule": "queue_age"} else real(*args, **kwargs)

    assert evaluate() == 1
    monkeypatch.setattr(AlertState.objects, "filter", filter_late)
    assert evaluate() == 0
    monkeypatch.undo()
    assert AlertState.objects.count() == 1


def test_a_notice_that_is_not_taken_is_sent_again_later(rule: Rule, recorder: Any) -> None:
    recorder.refusals = 1
    rule.found = [WRONG]
    evaluate()
    assert notices(recorder) == []
    assert notices(recorder) == []  # its time has not come
    state = AlertState.objects.get()
    assert (state.is_told, state.tries) == (False, 1)
    AlertState.objects.update(next_try_at=after(-1))
    assert len(notices(recorder)) == 1
    assert AlertState.objects.get().is_told


def test_nobody_is_told_of_a_silenced_plugin(rule: Rule, recorder: Any) -> None:
    rule.found = [WRONG]
    evaluate()
    assert notices(recorder, frozenset({"shop"})) == []
    assert notices(recorder) == []
    assert AlertState.objects.get().is_firing


def test_a_rule_that_can_t_be_read_leaves_its_alerts_as_they_are(rule: Rule) -> None:
    rule.found = [WRONG]
    evaluate()
    rule.is_broken = True
    assert evaluate() == 0
    assert AlertState.objects.get().is_firing


def test_without_addresses_the_log_alone_is_told(rule: Rule) -> None:
    rule.found = [WRONG]
    evaluate()
    assert tell(sender(load_settings({})), frozenset()) == 1
    assert AlertState.objects.get().is_told


def test_addresses_are_separated_by_commas_or_white_space() -> None:
    text = "json://a/x, mailto://u:p@b?to=x@y,z@y\n slack://c/d"
    assert addresses(load_settings({"ALERT_URLS": text})) == (
        "json://a/x",
        "mailto://u:p@b?to=x@y,z@y",
        "slack://c/d",
    )


def test_an_address_that_is_none_is_told_without_its_secrets(recorder: Any) -> None:
    settings = load_settings({"ALERT_URLS": f"nonsense://hunter2 {recorder.url}?+X=hunter2"})
    assert "hunter2" not in repr(settings)
    found = list(deliver(settings, Notice(title="t", text="x", kind="info")))
    assert [one.is_sent for one in found] == [False, True]
    assert "number 1 of ALERT_URLS" in found[0].address
    assert "hunter2" not in found[0].address


def test_looking_costs_the_same_however_many_alerts_there_are(
    rule: Rule, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    rule.found = [AlertFinding(subject=f"s{number}", text="x") for number in range(20)]
    evaluate()
    with django_assert_num_queries(1):
        evaluate()
