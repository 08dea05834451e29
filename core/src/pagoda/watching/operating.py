"""What administrators do to a running plugin: retry a breaker, run it dry, silence its alerts.

`user` is who asks, None the host itself, as at the command line. Changes are superusers' alone, a look at
them is for staff, too; plugin code does neither, whoever it acts for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q

from pagoda import running
from pagoda.audit.actions import Action
from pagoda.audit.models import AuditEvent
from pagoda.audit.recording import record
from pagoda.domain.acting import acting_user
from pagoda.domain.authority import beyond
from pagoda.domain.user.models import User
from pagoda.domain.user.permissions import Viewer
from pagoda.fencing import BreakerState, Surface
from pagoda.fencing.breaker import breaker
from pagoda.fencing.models import PluginSwitch
from pagoda.fencing.outcomes import SURFACES
from pagoda.fencing.switches import SwitchKind, switched_on
from pagoda.jobs.clock import database_now
from pagoda.plugins.registry import registry
from pagoda.watching.alerts.notifying import tell_what_was_silenced
from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.washing import shown, washed

REASON_MAX: Final = 300
LONGEST: Final = timedelta(days=366)
HISTORY_MAX: Final = 100
BY_HAND, BY_TIME = "by hand", "its time is over"  # how a switch ended, in its audit event

type Asking = Viewer | None


def retry_breaker(user: Asking, plugin: str, surface: str) -> BreakerState:
    """Let the next call probe a surface that is out of service, and return its breaker.

    Raises:
        PermissionDenied: the user is no superuser.
        PluginLoadError: no enabled plugin has this id or alias.
        ValidationError: there is no such surface, or it is in service.
        StoreUnavailable: the other processes can't be told now.
    """
    _require_administrator(user)
    plugin_id = registry().get(plugin).id
    known: Surface | None = next((each for each in SURFACES if each == surface), None)
    if known is None:
        fault = say(
            "{surface} is no surface.{misses} There are: {known}.",
            surface=shown(surface),
            misses=near_misses(surface, SURFACES),
            known=", ".join(SURFACES),
        )
        raise ValidationError(fault, code="surface")
    state = breaker().retry(plugin_id, known)
    if state is None:
        fault = say(
            "The {surface}s of plugin {plugin!r} are in service: there is nothing to retry.",
            surface=known,
            plugin=plugin_id,
        )
        raise ValidationError(fault, code="in_service")
    record(
        Action.BREAKER_RETRIED,
        subject_type="breaker",
        subject_id=f"{plugin_id}/{known}",
        subject=f"{plugin_id} {known}",
        plugin=plugin_id,
    )
    return state


def switch_on(user: Asking, plugin: str, kind: str, *, lasts: timedelta | None, reason: str) -> PluginSwitch:
    """Switch something on for a plugin, None for as long as nobody switches it off; again in place of before.

    Raises:
        PermissionDenied: the user is no superuser.
        PluginLoadError: no enabled plugin has this id or alias.
        ValidationError: there is no such switch, the reason is empty, or the time no time.
    """
    _require_administrator(user)
    plugin_id, known = registry().get(plugin).id, _kind(kind)
    text = _reason(reason)
    if lasts is not None and not timedelta(0) < lasts <= LONGEST:
        fault = say(
            "It lasts {lasts}; expected more than nothing and at most {days} days.",
            lasts=lasts,
            days=LONGEST.days,
        )
        raise ValidationError({"lasts_seconds": ValidationError(fault, code="range")})
    now = database_now()
    until = None if lasts is None else now + lasts
    values = {"since": now, "until": until, "reason": text, "actor": _name()}
    with transaction.atomic():
        switch, _ = PluginSwitch.objects.update_or_create(values, plugin=plugin_id, kind=known.value)
        _record(Action.SWITCHED_ON, switch, until=None if until is None else until.isoformat(), reason=text)
    return switch


def switch_off(user: Asking, plugin: str, kind: str) -> bool:
    """Switch something off, and return whether it was on. The plugin need not be enabled any more.

    Raises:
        PermissionDenied: the user is no superuser.
        ValidationError: there is no such switch.
    """
    _require_administrator(user)
    found = registry().find(plugin)
    rows = PluginSwitch.objects.filter(plugin=found.id if found else plugin, kind=_kind(kind).value)
    return sum(_end(switch, BY_HAND) for switch in rows) > 0


def end_over() -> int:
    """End the switches whose time is over, and return how many; any number of processes may."""
    over = PluginSwitch.objects.filter(until__lte=database_now())
    return sum(_end(switch, BY_TIME) for switch in over)


def switches(user: Asking, plugin: str | None = None) -> Sequence[PluginSwitch]:
    """Return what is switched on, of one plugin or of all, by plugin.

    Raises:
        PermissionDenied: the user is not staff.
    """
    require_staff(user, say("what is switched on for plugins"))
    found = switched_on().order_by("plugin", "kind")
    return list(found if plugin is None else found.filter(plugin=plugin))


def history(user: Asking, plugin: str, count: int = 20) -> Sequence[AuditEvent]:
    """Return the newest events about a plugin and its breakers, at most `HISTORY_MAX`; one query.

    Raises:
        PermissionDenied: the user is not staff.
    """
    require_staff(user, say("what became of a plugin"))
    breakers = [f"{plugin}/{surface}" for surface in SURFACES]
    about = Q(subject_type="breaker", subject_id__in=breakers) | Q(subject_type="plugin", subject_id=plugin)
    return list(AuditEvent.objects.filter(about).order_by("-pk")[: min(count, HISTORY_MAX)])


def require_staff(user: Asking, what: str) -> None:
    """Refuse who does not operate the host.

    Raises:
        PermissionDenied: plugin code asks, or a user who is neither staff nor superuser.
    """
    _refuse_plugins()
    if user is not None and not _is(user, "is_staff"):
        raise PermissionDenied(say("Only staff may see {what}.", what=what))


def _require_administrator(user: Asking) -> None:
    _refuse_plugins()
    if user is not None and not _is(user, "is_superuser"):
        raise PermissionDenied(
            say("Only superusers may retry the breakers of plugins, run them dry and silence their alerts.")
        )


def _refuse_plugins() -> None:
    if (plugin_id := running.plugin()) is not None:
        beyond(plugin_id, "operate plugins", "can't see or change how plugins are operated")


def _is(user: Viewer, wanted: str) -> bool:
    return isinstance(user, User) and user.is_active and (user.is_superuser or bool(getattr(user, wanted)))


def _kind(kind: str) -> SwitchKind:
    known = [each.value for each in SwitchKind]
    if kind not in known:
        fault = say(
            "{kind} is no switch.{misses} There are: {known}.",
            kind=shown(kind),
            misses=near_misses(kind, known),
            known=", ".join(known),
        )
        raise ValidationError(fault, code="kind")
    return SwitchKind(kind)


def _reason(given: str) -> str:
    text = washed(given.strip(), REASON_MAX + 1)
    if not text or len(text) > REASON_MAX:
        fault = say("Give a reason of 1 to {most} characters, for those who wonder later.", most=REASON_MAX)
        raise ValidationError({"reason": ValidationError(fault, code="length")})
    return text


def _name() -> str:
    user = acting_user()
    return washed("host" if user is None else user.get_username(), 250)


def _end(switch: PluginSwitch, how: str) -> bool:
    """End a switch as it was read; False where another process did, or it was switched on anew."""
    with transaction.atomic():
        is_mine = PluginSwitch.objects.filter(pk=switch.pk, since=switch.since).delete()[0]
        if is_mine:
            if switch.kind == SwitchKind.SILENCE:
                tell_what_was_silenced(switch.plugin)
            _record(Action.SWITCHED_OFF, switch, how=how)
    return bool(is_mine)


def _record(action: Action, switch: PluginSwitch, **details: str | None) -> None:
    record(
        action,
        subject_type="plugin",
        subject_id=switch.plugin,
        subject=switch.plugin,
        details={"kind": switch.kind, **details},
        plugin=switch.plugin,
    )
