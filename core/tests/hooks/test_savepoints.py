"""A handler's own savepoint: only for handlers that touch the database, and only inside a transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test.utils import CaptureQueriesContext
from structlog.testing import capture_logs

from pagoda.hooks.manager import HookManager

pytestmark = pytest.mark.django_db

BROKEN = (
    "TransactionBroken: caught a database error that had broken the transaction and returned as if nothing "
    "happened; what it wrote is undone. Put the statement that may fail into `with transaction.atomic():` "
    "of its own."
)


def write(name: str, *, then: BaseException | None = None) -> Callable[..., None]:
    def handle(*_args: Any) -> None:
        ContentType.objects.create(app_label="t", model=name)
        if then is not None:
            raise then

    return handle


def read(*_args: Any) -> None:
    ContentType.objects.filter(app_label="t").exists()


def stored() -> set[str]:
    return set(ContentType.objects.filter(app_label="t").values_list("model", flat=True))


def statements(queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"].split()[0] for query in queries.captured_queries]


def test_a_failing_handlers_writes_are_undone_and_nobody_elses(
    hooks: HookManager, dispatch: Callable[..., Any]
) -> None:
    ContentType.objects.create(app_label="t", model="host before")
    hooks.register_hook("entry.after_create", write("first"))
    hooks.register_hook("entry.after_create", write("bad", then=RuntimeError("oops")))
    hooks.register_hook("entry.after_create", write("last"))
    dispatch(hooks)
    ContentType.objects.create(app_label="t", model="host after")
    assert stored() == {"host before", "first", "last", "host after"}


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        pytest.param(lambda *_: None, [], id="no-query"),
        pytest.param(read, ["SAVEPOINT", "SELECT", "RELEASE"], id="reads"),
        pytest.param(write("a"), ["SAVEPOINT", "INSERT", "RELEASE"], id="writes"),
        pytest.param(
            write("a", then=KeyError()),
            ["SAVEPOINT", "INSERT", "ROLLBACK", "RELEASE"],
            id="fails",
        ),
    ],
)
def test_a_savepoint_is_opened_for_a_handler_that_touches_the_database(
    hooks: HookManager, dispatch: Callable[..., Any], handler: Any, expected: list[str]
) -> None:
    hooks.register_hook("entry.after_create", handler)
    with CaptureQueriesContext(connection) as queries:
        dispatch(hooks)
    assert statements(queries) == expected


def test_each_handler_gets_one_savepoint_however_many_queries(
    hooks: HookManager, dispatch: Callable[..., Any]
) -> None:
    def read_thrice(*_args: Any) -> None:
        for _ in range(3):
            read()

    hooks.register_hook("entry.after_create", read_thrice)
    hooks.register_hook("entry.after_create", lambda *_args: None)
    hooks.register_hook("entry.after_create", read)
    with CaptureQueriesContext(connection) as queries:
        dispatch(hooks)
    thrice = ["SAVEPOINT", "SELECT", "SELECT", "SELECT", "RELEASE"]
    assert statements(queries) == [*thrice, "SAVEPOINT", "SELECT", "RELEASE"]


def test_the_hosts_own_queries_get_none(hooks: HookManager, dispatch: Callable[..., Any]) -> None:
    hooks.register_hook("entry.after_create", write("a"))
    dispatch(hooks)
    with CaptureQueriesContext(connection) as queries:
        read()
    assert statements(queries) == ["SELECT"]


def swallow_integrity_error(*_args: Any) -> None:
    ContentType.objects.create(app_label="t", model="bad")
    try:
        ContentType.objects.create(app_label="t", model="bad")
    except IntegrityError:
        return


def delete_in_a_block_without_savepoint(*_args: Any) -> None:
    ContentType.objects.create(app_label="t", model="bad")
    try:
        with transaction.atomic(savepoint=False):
            ContentType.objects.create(app_label="t", model="bad")
    except IntegrityError:
        return


@pytest.mark.parametrize("handler", [swallow_integrity_error, delete_in_a_block_without_savepoint])
def test_a_handler_that_breaks_the_transaction_in_silence_has_failed(
    hooks: HookManager, dispatch: Callable[..., Any], handler: Callable[..., None]
) -> None:
    record = hooks.register_hook("entry.after_create", handler)
    hooks.register_hook("entry.after_create", write("later"))
    with capture_logs() as logs:
        dispatch(hooks)
    assert stored() == {"later"}
    assert hooks.statistics(record).failures == 1
    assert [log["error"] for log in logs] == [BROKEN]


def raw_error(*_args: Any) -> None:
    ContentType.objects.create(app_label="t", model="bad")
    with connection.cursor() as cursor:
        cursor.execute("SELECT nonsense FROM nowhere")


def duplicate(*_args: Any) -> None:
    ContentType.objects.create(app_label="t", model="bad")
    ContentType.objects.create(app_label="t", model="bad")


@pytest.mark.parametrize("handler", [raw_error, duplicate])
def test_a_database_error_leaves_the_transaction_usable(
    hooks: HookManager, dispatch: Callable[..., Any], handler: Callable[..., None]
) -> None:
    record = hooks.register_hook("entry.after_create", handler)
    dispatch(hooks)
    ContentType.objects.create(app_label="t", model="host")
    assert stored() == {"host"}
    assert hooks.statistics(record).failures == 1


def in_own_block(*_args: Any) -> None:
    with transaction.atomic():
        ContentType.objects.create(app_label="t", model="inner")
    try:
        with transaction.atomic():
            ContentType.objects.create(app_label="t", model="undone")
            raise KeyError
    except KeyError:
        ContentType.objects.create(app_label="t", model="outer")


def in_own_block_without_savepoint(*_args: Any) -> None:
    with transaction.atomic(savepoint=False):
        ContentType.objects.create(app_label="t", model="inner")
    ContentType.objects.create(app_label="t", model="outer")


@pytest.mark.parametrize("handler", [in_own_block, in_own_block_without_savepoint])
def test_a_handlers_own_blocks_work_as_ever(
    hooks: HookManager, dispatch: Callable[..., Any], handler: Callable[..., None]
) -> None:
    record = hooks.register_hook("entry.after_create", handler)
    with transaction.atomic():
        dispatch(hooks)
    assert stored() == {"inner", "outer"}
    assert hooks.statistics(record).failures == 0
    assert connection.savepoint_ids == []


def test_what_a_failing_handler_wanted_on_commit_is_forgotten(
    hooks: HookManager, dispatch: Callable[..., Any], django_capture_on_commit_callbacks: Any
) -> None:
    ran: list[str] = []

    def plan(name: str, *, fails: bool) -> Callable[..., None]:
        def handle(*_args: Any) -> None:
            ContentType.objects.create(app_label="t", model=name)
            transaction.on_commit(lambda: ran.append(name))
            if fails:
                raise RuntimeError

        return handle

    hooks.register_hook("entry.after_create", plan("good", fails=False))
    hooks.register_hook("entry.after_create", plan("bad", fails=True))
    with django_capture_on_commit_callbacks(execute=True):
        transaction.on_commit(lambda: ran.append("host"))
        dispatch(hooks)
    assert ran == ["host", "good"]


def test_a_refused_write_undoes_what_the_refusing_handler_wrote(hooks: HookManager) -> None:
    hooks.register_hook("entry.validate", write("refused", then=ValueError("no")))
    with pytest.raises(Exception, match=r"refused entry\.validate"):
        hooks.execute_hook("entry.validate", None, "customer", "n", [], None)
    assert stored() == set()


def test_a_transform_that_returns_rubbish_is_undone(hooks: HookManager) -> None:
    def handle(*_args: Any) -> int:
        ContentType.objects.create(app_label="t", model="bad")
        return 42

    hooks.register_hook("entry.before_create", handle)
    assert hooks.execute_hook("entry.before_create", "customer", None, {}) == {}
    assert stored() == set()


def test_in_a_broken_transaction_a_handler_gets_djangos_error(hooks: HookManager) -> None:
    record = hooks.register_hook("entry.after_create", read)
    with transaction.atomic():
        transaction.set_rollback(True)
        hooks.execute_hook("entry.after_create", "customer", None, None)
        assert connection.needs_rollback
    assert hooks.statistics(record).failures == 1


def test_a_lost_transaction_is_not_committed_by_half(
    hooks: HookManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(self: object, sid: str) -> None:
        raise DatabaseError("connection lost")

    hooks.register_hook("entry.after_create", write("bad", then=RuntimeError("oops")))
    with capture_logs() as logs, transaction.atomic():
        ContentType.objects.create(app_label="t", model="host")
        monkeypatch.setattr(BaseDatabaseWrapper, "savepoint_rollback", lose)
        hooks.execute_hook("entry.after_create", "customer", None, None)
        monkeypatch.undo()
        assert connection.needs_rollback
    assert stored() == set()
    assert [log["event"] for log in logs] == ["hook_rollback_failed", "hook_failed"]


@pytest.mark.parametrize("is_cause", [False, True])
def test_a_cursor_that_a_failing_handler_leaves_in_the_middle_of_a_write_keeps_nothing_from_being_undone(
    hooks: HookManager, dispatch: Callable[..., Any], is_cause: bool
) -> None:
    def write_half() -> None:
        cursor = connection.cursor()
        cursor.execute(
            "INSERT INTO django_content_type (app_label, model) VALUES ('t', 'a'), ('t', 'b') RETURNING id"
        )
        raise RuntimeError("oops")

    def leave(*_args: Any) -> None:
        try:
            write_half()
        except RuntimeError as error:
            if is_cause:
                raise KeyError from error
            raise

    hooks.register_hook("entry.after_create", leave)
    hooks.register_hook("entry.after_create", write("last"))
    with capture_logs() as logs, transaction.atomic():
        ContentType.objects.create(app_label="t", model="host")
        dispatch(hooks)
    assert stored() == {"host", "last"}
    assert [log["event"] for log in logs] == ["hook_failed"]


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_each_statement_stands(
    hooks: HookManager, dispatch: Callable[..., Any]
) -> None:
    hooks.register_hook("entry.after_create", write("bad", then=RuntimeError("oops")))
    with CaptureQueriesContext(connection) as queries:
        dispatch(hooks)
    assert stored() == {"bad"}
    assert statements(queries) == ["INSERT"]


@pytest.mark.django_db(transaction=True)
def test_a_handlers_own_transaction_outside_of_one_is_its_own_affair(
    hooks: HookManager, dispatch: Callable[..., Any]
) -> None:
    record = hooks.register_hook("entry.after_create", in_own_block)
    hooks.register_hook("entry.after_create", write("bad", then=RuntimeError("oops")))
    dispatch(hooks)
    assert stored() == {"inner", "outer", "bad"}
    assert hooks.statistics(record).failures == 0
    assert not connection.in_atomic_block
    assert hooks.budget.local.frame.savepoints is None


def test_a_guard_stays_when_a_wrapper_that_was_there_first_leaves(hooks: HookManager) -> None:
    with connection.execute_wrapper(lambda execute, *args: execute(*args)):
        hooks.budget.guard.take_off()
        hooks.budget.guard.put_on(connection)
    assert hooks.budget.guard in connection.execute_wrappers


def test_closing_a_manager_takes_its_guard_off(hooks: HookManager) -> None:
    assert hooks.budget.guard in connection.execute_wrappers
    hooks.close()
    assert hooks.budget.guard not in connection.execute_wrappers
