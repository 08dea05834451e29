"""Handlers whose writes start handlers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from structlog.testing import capture_logs

from pagoda.hooks.dispatch import MAX_DEPTH
from pagoda.hooks.manager import HookManager

from .conftest import Calls


def nest(hooks: HookManager, **arguments: Any) -> Callable[..., None]:
    def handle(*_args: Any) -> None:
        hooks.execute_hook("entity.after_create", arguments.get("user"), arguments.get("entity"))

    return handle


def test_a_handlers_write_runs_its_own_handlers_at_once(
    hooks: HookManager, calls: Calls, dispatch: Callable[..., Any]
) -> None:
    def outer(*_args: Any) -> None:
        calls.names.append("outer begins")
        nest(hooks)()
        calls.names.append("outer ends")

    hooks.register_hook("entry.after_create", outer)
    hooks.register_hook("entry.after_create", calls.handler("after outer"))
    hooks.register_hook("entity.after_create", calls.handler("inner"))
    dispatch(hooks)
    assert calls.names == ["outer begins", "inner", "outer ends", "after outer"]
    assert hooks.budget.local.frame.running is None
    assert hooks.budget.local.frame.running is None


def test_an_inner_failure_is_the_inner_handlers(hooks: HookManager, calls: Calls) -> None:
    def fail(*_args: Any) -> None:
        raise RuntimeError("oops")

    outer = hooks.register_hook("entry.after_create", nest(hooks), plugin_id="outer")
    inner = hooks.register_hook("entity.after_create", fail, plugin_id="inner")
    with capture_logs() as logs:
        hooks.execute_hook("entry.after_create", "customer", None, None)
    assert [log["plugin"] for log in logs] == ["inner"]
    assert hooks.statistics(outer).failures == 0
    assert hooks.statistics(inner).failures == 1


def test_a_handler_that_starts_itself_is_stopped_and_contained(hooks: HookManager) -> None:
    depths: list[int] = []

    def again(*_args: Any) -> None:
        depths.append(len(depths) + 1)
        hooks.execute_hook("entry.after_create", "customer", None, None)

    record = hooks.register_hook("entry.after_create", again)
    with capture_logs() as logs:
        hooks.execute_hook("entry.after_create", "customer", None, None)
    assert depths == list(range(1, MAX_DEPTH + 1))
    assert len(logs) == 1
    assert logs[0]["error"].startswith(
        "HookDepthExceeded: Hook handlers are nested 8 deep, which is the limit: "
    )
    assert logs[0]["error"].endswith("let it write only what differs, or skip what it wrote itself.")
    figures = hooks.statistics(record)
    assert (figures.calls, figures.failures) == (MAX_DEPTH, 1)
    assert hooks.budget.local.frame.running is None


@pytest.mark.django_db
@pytest.mark.parametrize("outer_fails", [False, True], ids=["outer-returns", "outer-fails"])
@pytest.mark.parametrize("inner_fails", [False, True], ids=["inner-returns", "inner-fails"])
def test_savepoints_nest_as_the_handlers_do(
    hooks: HookManager, dispatch: Callable[..., Any], outer_fails: bool, inner_fails: bool
) -> None:
    def write(*_args: Any) -> None:
        Group.objects.create(name="inner")
        if inner_fails:
            raise RuntimeError

    def outer(*_args: Any) -> None:
        nest(hooks)()
        Group.objects.create(name="outer")
        if outer_fails:
            raise RuntimeError

    hooks.register_hook("entry.after_create", outer)
    hooks.register_hook("entity.after_create", write)
    dispatch(hooks)
    Group.objects.create(name="host")
    expected = {"host", *(() if outer_fails else ("outer",))}
    if not outer_fails and not inner_fails:
        expected.add("inner")
    assert set(Group.objects.values_list("name", flat=True)) == expected


@pytest.mark.django_db
def test_a_query_of_an_inner_handler_opens_the_outer_savepoint_first(
    hooks: HookManager, dispatch: Callable[..., Any]
) -> None:
    hooks.register_hook("entry.after_create", nest(hooks))
    hooks.register_hook("entity.after_create", lambda *_args: bool(Group.objects.exists()))
    with CaptureQueriesContext(connection) as queries:
        dispatch(hooks)
    statements = [query["sql"] for query in queries.captured_queries]
    outer, inner = (sql.split()[-1] for sql in statements[:2])
    assert [sql.split()[0] for sql in statements] == [
        "SAVEPOINT",
        "SAVEPOINT",
        "SELECT",
        "RELEASE",
        "RELEASE",
    ]
    assert statements[3].endswith(inner)
    assert statements[4].endswith(outer)


@pytest.mark.django_db
def test_a_dispatch_inside_a_handler_that_has_a_savepoint_is_nested_too(
    hooks: HookManager, calls: Calls, dispatch: Callable[..., Any]
) -> None:
    def outer(*_args: Any) -> None:
        Group.objects.create(name="outer")
        hooks.execute_hook("entity.after_create", None, None)
        Group.objects.create(name="outer again")

    record = hooks.register_hook("entry.after_create", outer)
    hooks.register_hook("entity.after_create", calls.handler("inner"))
    dispatch(hooks)
    assert calls.names == ["inner"]
    assert hooks.statistics(record).failures == 0
    assert Group.objects.count() == 2
