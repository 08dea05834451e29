"""Sends the notices of transitions; one that can't be sent is tried again, and nothing waits for it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog
from django.db.models import F, Q
from django.db.models.functions import Now

from pagoda.config.settings import Settings
from pagoda.fencing.switches import SwitchKind, plugins_with
from pagoda.jobs.clock import after
from pagoda.watching.models import AlertState

FIRST_RETRY_SECONDS = 10.0
LONGEST_RETRY_SECONDS = 600.0

_SEPARATOR = re.compile(r"[,\s]+(?=[a-z][a-z0-9+.-]*://)")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What people are told."""

    title: str
    text: str
    kind: str  # of Apprise: failure, success or info


type Send = Callable[[Notice], bool]
"""Sends a notice; False when it could not be delivered everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How sending to one address went."""

    address: str  # with its secrets masked
    is_sent: bool


def addresses(settings: Settings) -> tuple[str, ...]:
    """Return the URLs in ALERT_URLS."""
    text = settings.alert_urls.get_secret_value().strip() if settings.alert_urls is not None else ""
    return tuple(filter(None, _SEPARATOR.split(text)))


def deliver(settings: Settings, notice: Notice) -> Iterator[Delivery]:
    """Send a notice to each address, one after the other; nothing that goes wrong is raised."""
    from apprise import Apprise, NotifyType  # takes a while to import, and only who sends needs it

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it quotes addresses with their secrets

    for number, address in enumerate(addresses(settings), start=1):
        target = Apprise.instantiate(address, suppress_exceptions=True)
        if target is None:
            yield Delivery(
                address=f"number {number} of ALERT_URLS, which Apprise does not know", is_sent=False
            )
            continue
        yield Delivery(
            address=target.url(privacy=True),  # type: ignore[no-untyped-call]
            is_sent=_notify(target.notify, notice, NotifyType(notice.kind)),
        )


def sender(settings: Settings) -> Send:
    """Return what sends to all addresses of ALERT_URLS; without any, the log is told alone."""

    def send(notice: Notice) -> bool:
        failed = [one.address for one in deliver(settings, notice) if not one.is_sent]
        if failed:
            log.error("alert_not_sent", title=notice.title, addresses=failed)
        return not failed

    return send


def tell(send: Send, silenced: frozenset[str]) -> int:
    """Send the notices that are due; return how many went out. Each is sent by one dispatcher.

    Those of plugins in `silenced`, or silenced by an administrator, are logged alone. It is at least once: a
    dispatcher that dies between sending and noting it leaves the notice to another.
    """
    due = AlertState.objects.filter(Q(next_try_at=None) | Q(next_try_at__lte=Now()), is_told=False)
    states = list(due.order_by("pk"))
    if any(state.plugin for state in states):
        silenced |= plugins_with(SwitchKind.SILENCE)
    return sum(_tell(state, send, silenced) for state in states)


def tell_what_was_silenced(plugin: str) -> int:
    """Make the notices of a plugin's alerts due that fire still and were silenced; return how many."""
    left = AlertState.objects.filter(plugin=plugin, is_firing=True, is_silenced=True)
    return left.update(is_told=False, is_silenced=False, tries=0, next_try_at=None)


def _tell(state: AlertState, send: Send, silenced: frozenset[str]) -> bool:
    mine = AlertState.objects.filter(pk=state.pk, version=state.version, tries=state.tries, is_told=False)
    wait = min(FIRST_RETRY_SECONDS * 2 ** min(state.tries, 10), LONGEST_RETRY_SECONDS)
    if not mine.update(tries=F("tries") + 1, next_try_at=after(wait)):
        return False  # another dispatcher sends it
    is_silenced = bool(state.plugin) and state.plugin in silenced
    _log(state, is_silenced=is_silenced)
    if not is_silenced and not send(_notice(state)):
        return False
    AlertState.objects.filter(pk=state.pk, version=state.version).update(
        is_told=True, is_silenced=is_silenced, next_try_at=None
    )
    return not is_silenced


def _log(state: AlertState, *, is_silenced: bool) -> None:
    emit = log.error if state.is_firing else log.info
    event = "alert_fired" if state.is_firing else "alert_resolved"
    emit(
        event,
        rule=state.rule,
        subject=state.subject,
        text=state.text,
        silenced=is_silenced,
        tries=state.tries,
    )


def _notice(state: AlertState) -> Notice:
    what, kind, text = (
        ("FIRING", "failure", state.text)
        if state.is_firing
        else ("RESOLVED", "success", f"Over: {state.text}")
    )
    return Notice(title=f"[{what}] Pagoda: {state.rule} {state.subject}", text=text, kind=kind)


def _notify(notify: Callable[..., object], notice: Notice, kind: object) -> bool:
    try:
        return bool(notify(body=notice.text, title=notice.title, notify_type=kind))
    except Exception:  # the fence around Apprise's services
        log.exception("alert_service_failed")
        return False
