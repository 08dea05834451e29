"""Mark the methods of a `Plugin` as hook handlers, and as parts of the console's pages of entries.

A decorator records what the method handles and returns the same function; `Plugin.__init_subclass__`
collects the marks. Several may stand on one method.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal, overload

from pagoda_plugin_sdk import hook_types as types
from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.hooks import HOOK_ALIASES, HOOK_SPECS, resolve_hook_name
from pagoda_plugin_sdk.metadata import title_fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest, HttpResponse

    from pagoda_plugin_sdk.protocols import EntryProtocol

    type ShowsPanel = Callable[[Any, HttpRequest, EntryProtocol], tuple[str, Mapping[str, Any]] | None]
    type DoesAction = Callable[[Any, HttpRequest, EntryProtocol], str | HttpResponse | None]

DEFAULT_PRIORITY = 100

MARKS = "_hook_marks"
"""Name of the function attribute that holds the list of `HookMark`."""

METADATA = "_hook_metadata"
"""Name of the function attribute that tells of the topmost mark: ``{field of HookMark: value}``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookMark:
    """One use of a hook decorator."""

    hook_name: str  # canonical, never an alias
    entity: str | None  # name of the only entity it handles; None means all
    priority: int  # lower runs first
    deferred: bool  # runs in the plugin's own queue after commit


PART_MARKS = "_entry_part_marks"
"""Name of the function attribute that holds the list of `PartMark`."""

type PartKind = Literal["panel", "action"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartMark:
    """One use of `entry_panel` or `entry_action`."""

    kind: PartKind
    title: str
    entity: str | None  # name of the only entity whose entries have it; None means all
    priority: int  # lower stands first


@overload
def entry_hook[F: types.CreatesEntry](
    event: types.EntryBeforeCreate, entity: str | None = None, priority: int = DEFAULT_PRIORITY
) -> Callable[[F], F]: ...
@overload
def entry_hook[F: types.UpdatesEntry](
    event: types.EntryBeforeUpdate, entity: str | None = None, priority: int = DEFAULT_PRIORITY
) -> Callable[[F], F]: ...
@overload
def entry_hook[F: types.SeesEntry](
    event: types.EntryBeforeDelete | types.EntryBeforeRestore,
    entity: str | None = None,
    priority: int = DEFAULT_PRIORITY,
) -> Callable[[F], F]: ...
@overload
def entry_hook[F: types.SeesEntry](
    event: types.EntryAfter,
    entity: str | None = None,
    priority: int = DEFAULT_PRIORITY,
    *,
    deferred: bool = False,
) -> Callable[[F], F]: ...
def entry_hook(
    event: str, entity: str | None = None, priority: int = DEFAULT_PRIORITY, *, deferred: bool = False
) -> Any:
    """Handle an event of entries: ``before_`` or ``after_`` ``create``, ``update``, ``delete``, ``restore``.

    A full hook name or a legacy alias is accepted as `event` too.

    Raises:
        UnknownHook: there is no such event.
        PluginValidationError: a hook of entities, or `deferred` on one that does not run after the write.
    """
    return _mark(_full_name("entry", event), entity, priority, deferred)


@overload
def entity_hook[F: types.CreatesEntity](
    event: types.EntityBeforeCreate, entity: str | None = None, priority: int = DEFAULT_PRIORITY
) -> Callable[[F], F]: ...
@overload
def entity_hook[F: types.UpdatesEntity](
    event: types.EntityBeforeUpdate, entity: str | None = None, priority: int = DEFAULT_PRIORITY
) -> Callable[[F], F]: ...
@overload
def entity_hook[F: types.SeesEntity](
    event: types.EntityBeforeDelete, entity: str | None = None, priority: int = DEFAULT_PRIORITY
) -> Callable[[F], F]: ...
@overload
def entity_hook[F: types.SeesEntity](
    event: types.EntityAfter,
    entity: str | None = None,
    priority: int = DEFAULT_PRIORITY,
    *,
    deferred: bool = False,
) -> Callable[[F], F]: ...
def entity_hook(
    event: str, entity: str | None = None, priority: int = DEFAULT_PRIORITY, *, deferred: bool = False
) -> Any:
    """Handle an event of entities: ``before_`` or ``after_`` ``create``, ``update``, ``delete``.

    Raises:
        UnknownHook: there is no such event.
        PluginValidationError: a hook of entries, or `deferred` on one that does not run after the write.
    """
    return _mark(_full_name("entity", event), entity, priority, deferred)


def validation_hook[F: types.ValidatesEntry](
    entity: str | None = None, priority: int = DEFAULT_PRIORITY
) -> Callable[[F], F]:
    """Validate an entry before it is stored; raise `ValueError` or `HookRejected` to refuse it."""
    return _mark("entry.validate", entity, priority, deferred=False)


@overload
def get_attrs_hook[F: types.ShowsEntry](
    target: Literal["entry"] = "entry", entity: str | None = None, priority: int = DEFAULT_PRIORITY
) -> Callable[[F], F]: ...
@overload
def get_attrs_hook[F: types.ShowsEntity](
    target: Literal["entity"], entity: str | None = None, priority: int = DEFAULT_PRIORITY
) -> Callable[[F], F]: ...
def get_attrs_hook(target: str = "entry", entity: str | None = None, priority: int = DEFAULT_PRIORITY) -> Any:
    """Change the attributes that are shown of an ``"entry"`` or an ``"entity"``.

    Raises:
        UnknownHook: `target` is neither.
    """
    _check_called("@get_attrs_hook", target)
    return _mark(resolve_hook_name(f"{target}.get_attrs"), entity, priority, deferred=False)


def entry_panel[F: ShowsPanel](
    entity: str | None = None, *, title: str, priority: int = DEFAULT_PRIORITY
) -> Callable[[F], F]:
    """Show a panel on the console's page of an entry: ``f(self, request, entry)``, as the user who looks.

    It returns ``(template, context)``, the template being one of the plugin's package, below
    ``templates/``; None leaves the panel out, and so does a refusal (`PermissionDenied`).

    Raises:
        PluginValidationError: an argument is wrong.
    """
    return _mark_part("panel", title, entity, priority)


def entry_action[F: DoesAction](
    entity: str | None = None, *, title: str, priority: int = DEFAULT_PRIORITY
) -> Callable[[F], F]:
    """Put a button on the console's page of an entry: ``f(self, request, entry)``, as who presses it.

    It returns what to tell them, or a redirection to a page of this host; None says that it is done. To
    refuse it raises `HookRejected` or `PermissionDenied`.

    Raises:
        PluginValidationError: an argument is wrong.
    """
    return _mark_part("action", title, entity, priority)


def part_marks(function: object) -> tuple[PartMark, ...]:
    """Return the marks of panels and actions on `function` in the order in which they are written."""
    return tuple(reversed(getattr(function, PART_MARKS, ())))


def hook_marks(function: object) -> tuple[HookMark, ...]:
    """Return the marks on `function` in the order in which they are written, top first."""
    return tuple(reversed(getattr(function, MARKS, ())))


def _full_name(subject: str, event: Any) -> str:
    """Return the canonical name; Any: whatever a plugin wrote."""
    _check_called(f"@{subject}_hook", event)
    if not isinstance(event, str):
        return resolve_hook_name(event)  # which refuses it
    name = resolve_hook_name(event if _is_full(event) else f"{subject}.{event}")
    if HOOK_SPECS[name].subject != subject:
        raise PluginValidationError(
            f"Hook {event!r} is one of {HOOK_SPECS[name].subject}: mark its handlers with "
            f"@{HOOK_SPECS[name].subject}_hook, not with @{subject}_hook."
        )
    return name


def _is_full(event: str) -> bool:
    return event in HOOK_SPECS or event in HOOK_ALIASES


def _mark[F: Callable[..., Any]](
    hook_name: str, entity: Any, priority: Any, deferred: Any
) -> Callable[[F], F]:
    """Return the decorator; Any: whatever a plugin wrote."""
    if deferred and not HOOK_SPECS[hook_name].is_after:
        raise PluginValidationError(
            f"Hook {hook_name!r} can't be deferred: its result is needed before the write. "
            "Only after-hooks take deferred=True."
        )
    _check_place(f"hook {hook_name!r}", entity, priority)
    if not isinstance(deferred, bool):
        raise PluginValidationError(
            f"`deferred` of hook {hook_name!r} is {deferred!r}, expected True or False."
        )
    mark = HookMark(hook_name=hook_name, entity=entity, priority=priority, deferred=deferred)

    def decorate(function: F) -> F:
        setattr(function, MARKS, [*getattr(function, MARKS, ()), mark])
        setattr(function, METADATA, asdict(mark))
        return function

    return decorate


def _mark_part[F: Callable[..., Any]](
    kind: PartKind, title: Any, entity: Any, priority: Any
) -> Callable[[F], F]:
    """Return the decorator; Any: whatever a plugin wrote."""
    if (fault := title_fault(title)) is not None:
        raise PluginValidationError(f"`title` of @entry_{kind} {fault}.")
    _check_place(f"@entry_{kind} {title!r}", entity, priority)
    mark = PartMark(kind=kind, title=title, entity=entity, priority=priority)

    def decorate(function: F) -> F:
        setattr(function, PART_MARKS, [*getattr(function, PART_MARKS, ()), mark])
        return function

    return decorate


def _check_called(of: str, first: Any) -> None:
    """Refuse a decorator that stands without brackets, whose first argument is the method; Any: that."""
    if isinstance(first, FunctionType):
        raise PluginValidationError(
            f"{of} stands above {first.__name__} without brackets. Write @...() with its arguments inside."
        )


def _check_place(of: str, entity: Any, priority: Any) -> None:
    _check_called(of, entity)
    if entity is not None and not (isinstance(entity, str) and entity):
        raise PluginValidationError(f"`entity` of {of} is {entity!r}, expected a name or None.")
    if not isinstance(priority, int) or isinstance(priority, bool):
        raise PluginValidationError(
            f"`priority` of {of} is {priority!r}, expected a whole number; lower runs first."
        )
