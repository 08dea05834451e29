"""Every hook against every fault, inside and outside a transaction."""

from __future__ import annotations

import enum
import time
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection

from pagoda.hooks.manager import HookManager
from pagoda.hooks.results import snapshot
from pagoda_plugin_sdk.hooks import HOOK_SPECS, HookKind

DATA = {
    "validated_data": {"name": "n", "attrs": [{"id": 1, "name": "a", "value": [1]}]},
    "attrinfo": [{"id": 1, "name": "a", "value": [1]}],
    "attrs": [{"id": 1, "name": "a", "value": [1]}],
}
RESULT = {HookKind.TRANSFORM: "validated_data", HookKind.FILTER: "attrinfo"}


class Fault(enum.Enum):
    RAISES = "raises"
    HANGS = "hangs"
    SLOW = "slow"  # but within its budget
    BREAKS = "breaks"  # the transaction, and catches the error
    RUBBISH = "rubbish"

    def is_failure(self, kind: HookKind, *, in_atomic: bool) -> bool:
        match self:
            case Fault.RAISES | Fault.HANGS:
                return True
            case Fault.SLOW:
                return False
            case Fault.BREAKS:
                return in_atomic
            case Fault.RUBBISH:
                return kind in RESULT


class Bad:
    """A handler that writes, meddles with its data and then goes wrong."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault

    def handle(self, *args: Any) -> Any:
        Group.objects.create(name="bad")
        if self.fault is not Fault.SLOW:
            meddle(args)
        match self.fault:
            case Fault.RAISES:
                raise RuntimeError("oops")
            case Fault.HANGS:
                while True:  # and leaves the processor to the other tests
                    time.sleep(0.001)
            case Fault.SLOW:
                sum(range(100_000))
            case Fault.BREAKS:
                try:
                    Group.objects.create(name="bad")
                except IntegrityError:
                    return None
            case Fault.RUBBISH:
                return object()
        return None


def meddle(args: tuple[Any, ...]) -> None:
    for value in args:
        attrs = value["attrs"] if isinstance(value, dict) else value
        if isinstance(attrs, list):
            attrs[0]["value"].append("meddled")
            attrs.clear()


def assert_contained(hooks: HookManager, hook: str, fault: Fault, *, in_atomic: bool) -> None:
    seen: list[Any] = []

    def good(*args: Any) -> None:
        Group.objects.create(name="good")
        seen.append(snapshot(list(args)))

    spec = HOOK_SPECS[hook]
    args = [snapshot(DATA[name]) if name in DATA else name for name in spec.arguments]
    bad = hooks.register_hook(hook, Bad(fault).handle, plugin_id="bad", priority=1)
    after = hooks.register_hook(hook, good, plugin_id="good", priority=2)
    before = snapshot(args)

    result = hooks.execute_hook(
        hook, *args, entity_name="customer" if "entity_name" not in spec.arguments else None
    )
    Group.objects.create(name="host")

    is_failure = fault.is_failure(spec.kind, in_atomic=in_atomic)
    is_undone = in_atomic and is_failure
    assert set(Group.objects.values_list("name", flat=True)) == {"good", "host"} | (
        set() if is_undone else {"bad"}
    )
    assert hooks.statistics(bad).failures == is_failure
    assert hooks.statistics(bad).timeouts == (fault is Fault.HANGS)
    assert hooks.statistics(after).failures == 0
    assert args == before
    if is_failure or spec.kind is HookKind.VETO:
        assert seen == [before]
    if is_failure:
        assert result == (before[spec.arguments.index(RESULT[spec.kind])] if spec.kind in RESULT else None)
    assert hooks.budget.local.frame.running is None
    assert connection.needs_rollback is False


@pytest.mark.django_db
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.value)
@pytest.mark.parametrize("hook", HOOK_SPECS)
def test_inside_a_transaction(impatient: HookManager, hook: str, fault: Fault) -> None:
    assert_contained(impatient, hook, fault, in_atomic=True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.value)
@pytest.mark.parametrize("hook", HOOK_SPECS)
def test_outside_a_transaction(impatient: HookManager, hook: str, fault: Fault) -> None:
    assert_contained(impatient, hook, fault, in_atomic=False)
