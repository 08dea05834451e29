"""Operations: which task a job's number stands for, and how its jobs are treated.

Three sources are one table: the host's own (1-99, `register_job_task`), an installation's (100-199, the
setting CUSTOM_TASKS) and the plugins' (200-9999, the SDK's registry).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from pagoda.fencing.interrupts import is_host_interrupt
from pagoda.jobs import sayings
from pagoda.jobs.job_errors import UnknownOperation
from pagoda.jobs.plugin_host import active_plugin_ids, known_plugin_names
from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.operations import CORE_OPERATIONS, CUSTOM_OPERATIONS, PLUGIN_OPERATIONS, JobOperation
from pagoda_plugin_sdk.task_registry import Operation, PluginTaskRegistry
from pagoda_plugin_sdk.tasks import TaskOptions, task_options
from pagoda_plugin_sdk.washing import washed

Handler = Callable[..., Any]
"""A task function: ``(job)``, or a Celery task called with the job's id; what it returns is up to it."""

CORE_QUEUE = "core"
ON_ANY_QUEUE = frozenset({JobOperation.RUN_DEFERRED_HOOK, JobOperation.CANARY})


def task_name(number: int, plugin: str, operation_name: str) -> str:
    """Return the name of the Celery task that runs such jobs: ``plugin.operation``, ``core.operation``."""
    return f"{plugin if number in PLUGIN_OPERATIONS else CORE_QUEUE}.{operation_name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSpec:
    """What the host knows of one operation."""

    plugin_id: str  # "" for the host's and custom ones
    name: str
    number: int
    queue: str
    handler: Handler
    options: TaskOptions | None  # None: the raw form, which drives its job itself
    is_hidden: bool = False  # left out of job lists
    is_cancelable: bool = True  # users may cancel its jobs
    is_parallelizable: bool = True  # its jobs may run side by side on one target
    is_downloadable: bool = False  # its jobs may carry a file
    is_shared: bool = False  # who may read the target of a job sees what it gave

    @property
    def task_name(self) -> str:
        """Return the name of the Celery task that runs its jobs."""
        return task_name(self.number, self.plugin_id, self.name)


@dataclass(slots=True)
class OperationTable:
    """The operations of one source, by number."""

    specs: dict[int, OperationSpec] = field(default_factory=dict)

    def add(self, spec: OperationSpec) -> None:
        """Add `spec`; the same number twice is refused unless it is the same task.

        Raises:
            ImproperlyConfigured: the number is taken.
        """
        held = self.specs.get(spec.number)
        if held is not None and held.handler is not spec.handler:
            raise ImproperlyConfigured(
                f"Operation {spec.number} is {held.name!r} already, {spec.name!r} can't have it too. "
                "Give one of the two another number."
            )
        self.specs[spec.number] = spec


core_operations = OperationTable()
custom_operations = OperationTable()


def register_job_task(
    operation: int,
    *,
    options: TaskOptions | None = None,
    is_hidden: bool = False,
    is_cancelable: bool = True,
    is_parallelizable: bool = True,
    is_downloadable: bool = False,
    is_shared: bool = False,
) -> Callable[[Handler], Handler]:
    """Make the decorated task the one of a core operation.

    With `options` it is of the form ``def f(job)``, without them a Celery task that drives its job itself.

    Raises:
        ImproperlyConfigured: `operation` is outside 1-99 or taken.
    """
    if operation not in CORE_OPERATIONS:
        raise ImproperlyConfigured(
            f"Core operation is {operation!r}, expected a number from {CORE_OPERATIONS.start} to "
            f"{CORE_OPERATIONS.stop - 1}. Plugins declare theirs in a PluginTaskConfig."
        )

    def decorate(handler: Handler) -> Handler:
        core_operations.add(
            OperationSpec(
                plugin_id="",
                name=_core_name(operation, handler),
                number=int(operation),
                queue=CORE_QUEUE,
                handler=handler,
                options=options or task_options(handler),
                is_hidden=is_hidden,
                is_cancelable=is_cancelable,
                is_parallelizable=is_parallelizable,
                is_downloadable=is_downloadable,
                is_shared=is_shared,
            )
        )
        return handler

    return decorate


def load_custom_tasks() -> None:
    """Read the setting CUSTOM_TASKS, ``{operation id: "module.function"}``.

    Raises:
        ImproperlyConfigured: it lists all faults; nothing is changed then.
    """
    declared: Mapping[Any, Any] = getattr(settings, "CUSTOM_TASKS", {})
    faults: list[str] = []
    specs: dict[int, OperationSpec] = {}
    for number, path in declared.items():
        try:
            specs[number] = _custom_spec(number, path)
        except BaseException as error:  # whatever the module does when it is imported
            if is_host_interrupt(error):
                raise
            faults.append(f"{number!r}: {path!r}: {washed(error)}")
    if faults:
        listed = "\n".join(f"  - {fault}" for fault in faults)
        raise ImproperlyConfigured(f"CUSTOM_TASKS has {len(faults)} fault(s):\n{listed}")
    custom_operations.specs = specs


def resolve(number: int) -> OperationSpec:
    """Return the operation with this number.

    Raises:
        UnknownOperation: no enabled source has it.
    """
    for table in (core_operations, custom_operations):
        if number in table.specs:
            return table.specs[number]
    try:
        return _plugin_spec(PluginTaskRegistry.operation(number))
    except PluginValidationError as error:
        raise UnknownOperation(str(error)) from error


def resolve_name(plugin: str, name: str) -> OperationSpec:
    """Return the operation `name` of `plugin` (its id or alias; "" for the host's and custom ones).

    Raises:
        UnknownOperation: there is none; the closest names are given.
    """
    for table in (core_operations, custom_operations):
        for spec in table.specs.values():
            if not plugin and spec.name == name:
                return spec
    if not plugin:
        known = sorted(s.name for t in (core_operations, custom_operations) for s in t.specs.values())
        raise UnknownOperation(f"The host has no operation {name!r}. It has: {', '.join(known) or 'none'}.")
    try:
        return _plugin_spec(PluginTaskRegistry.operation(PluginTaskRegistry.get_operation_id(plugin, name)))
    except PluginValidationError as error:
        raise UnknownOperation(str(error)) from error


def find(number: int) -> OperationSpec | None:
    """Return the operation with this number, or None when it is of a plugin that is not active."""
    try:
        return resolve(number)
    except UnknownOperation:
        return None


def of_job(plugin: str, number: int, name: str) -> OperationSpec | None:
    """Return the operation that a job means, None when it is not here, or its number is another's now."""
    spec = find(number)
    is_same = spec is not None and spec.name == name and (not spec.plugin_id or spec.plugin_id == plugin)
    return spec if is_same else None


def why_unserved(plugin: str, number: int, name: str) -> str:
    """Return why no worker takes such jobs, "" where this process knows of no reason."""
    if of_job(plugin, number, name) is not None:
        return ""
    if (other := find(number)) is not None:
        return sayings.OTHER_NOW.format(number=number, other=repr(other.task_name), name=repr(name))
    if not plugin:
        template = sayings.NONE_OF_HOST
    elif plugin in active_plugin_ids():
        template = sayings.NONE_OF_PLUGIN
    else:
        template = sayings.NOT_ACTIVE if plugin in known_plugin_names() else sayings.NOT_ENABLED
    return template.format(plugin=repr(plugin), name=repr(name), number=number)


def all_specs() -> tuple[OperationSpec, ...]:
    """Return every operation by ascending number."""
    host = core_operations.specs | custom_operations.specs
    plugins = [_plugin_spec(operation) for operation in PluginTaskRegistry.operations()]
    return tuple(sorted((*host.values(), *plugins), key=lambda spec: spec.number))


def tasks_of(queue: str) -> frozenset[str]:
    """Return the names of the tasks whose jobs are in a queue: its plugin's, or the host's."""
    return frozenset(
        spec.task_name for spec in all_specs() if spec.queue == queue or spec.number in ON_ANY_QUEUE
    )


def hidden_numbers() -> tuple[int, ...]:
    """Return the numbers of the operations that job lists leave out."""
    host = (*core_operations.specs.values(), *custom_operations.specs.values())
    hidden = [spec.number for spec in host if spec.is_hidden]
    return (*hidden, *(o.number for o in PluginTaskRegistry.operations() if o.is_hidden))


def hosts_own_numbers() -> tuple[int, ...]:
    """Return the numbers of what the host does of itself, whoever caused it: its hidden operations."""
    return tuple(spec.number for spec in core_operations.specs.values() if spec.is_hidden)


def method_table() -> dict[int, Handler]:
    """Return ``{operation id: task}`` of core, custom and plugin tasks."""
    return {spec.number: spec.handler for spec in all_specs()}


def forget_plugin_tasks() -> None:
    """Look plugins' task functions up again when they are next asked for, after others were registered."""
    _plugin_spec.cache_clear()


@cache  # at most one per operation of the process
def _plugin_spec(operation: Operation) -> OperationSpec:
    handler = PluginTaskRegistry.get_task_handler(operation.number)
    return OperationSpec(
        plugin_id=operation.plugin_id,
        name=operation.name,
        number=operation.number,
        queue=operation.queue,
        handler=handler,
        options=task_options(handler),
        is_hidden=operation.is_hidden,
        is_cancelable=operation.is_cancelable,
        is_parallelizable=operation.is_parallelizable,
        is_downloadable=operation.is_downloadable,
        is_shared=operation.is_shared,
    )


def _core_name(operation: int, handler: Handler) -> str:
    try:
        return JobOperation(operation).name.lower()
    except ValueError:
        return handler.__name__


def _custom_spec(number: object, path: object) -> OperationSpec:
    if not isinstance(number, int) or number not in CUSTOM_OPERATIONS:
        first, last = CUSTOM_OPERATIONS.start, CUSTOM_OPERATIONS.stop - 1
        raise ValueError(f"the operation id is {number!r}, expected a number from {first} to {last}")
    if not isinstance(path, str) or not callable(handler := import_string(path)):
        raise ValueError('expected "module.function" of a task')
    return OperationSpec(
        plugin_id="",
        name=path.rpartition(".")[2],
        number=number,
        queue=CORE_QUEUE,
        handler=handler,
        options=task_options(handler),
        is_parallelizable=False,
    )
