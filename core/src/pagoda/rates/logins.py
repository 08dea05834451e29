"""Who guesses passwords waits: failed logins are counted by name and by network of the client.

Tightly for a name from one network, more widely for a name from everywhere and for a network with all names.
From the limit on each failure doubles the wait, up to a bound. A network from which the name has logged in
lately is held to its own tight count alone, so that strangers who guess elsewhere lock nobody out. Names that
don't exist count alike.

The counts are in the database, with a shared cache too: a login needs the database anyway, failures are few
as they have to wait, and who can make the cache fail must not gain guesses by it. django-axes does not fit:
it keeps names, addresses and paths as anybody sends them; its lock has neither back-off nor known networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from pagoda.audit.failed_logins import client_network
from pagoda.domain.user.models import User
from pagoda.fencing.foreign_rows import COUNT_MAX, Drops
from pagoda.rates.models import LoginCount
from pagoda_plugin_sdk.rules.saying import say

FORGOTTEN = timedelta(hours=1)
"""After the last failure and its wait."""
KNOWN = timedelta(days=30)
"""So long after a login its network is known for its name."""
SKEW = timedelta(minutes=5)
"""Between the clocks of hosts, at most."""

DROPS = Drops("login")

log = structlog.get_logger(__name__)


class LoginThrottled(ValidationError):
    """Too many logins failed: no password is looked at before `seconds` have passed. Forms show it."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            say("Too many logins failed. Try again in {seconds} s.", seconds=seconds), code="login_throttled"
        )
        self.seconds = seconds


class ThrottledBackend(ModelBackend):
    """Checks passwords, for every way in that asks `django.contrib.auth.authenticate`."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **credentials: Any,  # Django's type: what other backends may take
    ) -> User | None:
        """Return the active user of this name and password, else None.

        Raises:
            LoginThrottled: too many failed before.
        """
        if username is None or password is None:
            return super().authenticate(request, username, password, **credentials)
        network = client_network(request)
        _admit(username, network)
        user = super().authenticate(request, username, password, **credentials)
        if user is None:
            _count_failure(username, network)
        else:
            _remember(username, network)
        return user


def prune() -> int:
    """Remove what is to be forgotten; return how many counts that were."""
    return LoginCount.objects.filter(forgotten_at__lte=timezone.now()).delete()[0]


def _admit(name: str, network: str) -> None:
    now = timezone.now()
    pair, known = _key("pair", name, network), _key("known", name, network)
    keys = [pair, known, _key("name", name), _key("network", network)]
    rows = LoginCount.objects.filter(key__in=keys, forgotten_at__gt=now)
    found = {row.key: row for row in rows if _is_credible(row, now)}
    seconds = max(
        (
            ceil((row.waits_until - now).total_seconds())
            for key, row in found.items()
            if key == pair or known not in found
        ),
        default=0,
    )
    if seconds > 0:
        log.info("login_throttled", network=network, seconds=seconds)
        raise LoginThrottled(seconds)


def _is_credible(row: LoginCount, now: datetime) -> bool:
    """Return whether a wait is one that this process could have set; any other would lock people out."""
    longest = timedelta(seconds=settings.PAGODA.pagoda_login_max_wait_seconds)
    if row.waits_until <= now + longest + SKEW:
        return True
    DROPS.drop(row.key, f"it waits until {row.waits_until}, the longest wait is {longest}")
    return False


def _count_failure(name: str, network: str) -> None:
    limits, now = dict(_limits(name, network)), timezone.now()
    with transaction.atomic():
        _ensure(limits, now)
        # In one order, so that logins don't wait crosswise
        rows = list(LoginCount.objects.select_for_update().filter(key__in=limits).order_by("key"))
        for row in rows:
            is_new = row.forgotten_at <= now or not 0 <= row.failures < COUNT_MAX
            row.failures = 1 if is_new else row.failures + 1
            row.waits_until = now + _wait(row.failures - limits[row.key])
            row.forgotten_at = row.waits_until + FORGOTTEN
        LoginCount.objects.bulk_update(rows, ["failures", "waits_until", "forgotten_at"])


def _limits(name: str, network: str) -> Iterator[tuple[str, int]]:
    given = settings.PAGODA
    for key, limit in (
        (_key("pair", name, network), given.pagoda_login_failures),
        (_key("name", name), given.pagoda_login_failures_name),
        (_key("network", network), given.pagoda_login_failures_network),
    ):
        if limit:
            yield key, limit


def _wait(beyond: int) -> timedelta:
    given = settings.PAGODA
    if beyond < 0:
        return timedelta()
    doubled = given.pagoda_login_wait_seconds * 2 ** min(beyond, 30)
    return timedelta(seconds=min(doubled, given.pagoda_login_max_wait_seconds))


def _remember(name: str, network: str) -> None:
    LoginCount.objects.filter(key=_key("pair", name, network)).delete()
    known, now = _key("known", name, network), timezone.now()
    is_fresh = LoginCount.objects.filter(key=known, forgotten_at__gt=now + KNOWN - timedelta(days=1))
    if not is_fresh.exists():
        LoginCount.objects.update_or_create(
            key=known, defaults={"waits_until": now, "forgotten_at": now + KNOWN}
        )


def _ensure(keys: Iterable[str], now: datetime) -> None:
    rows = [LoginCount(key=key, waits_until=now, forgotten_at=now) for key in sorted(keys)]
    LoginCount.objects.bulk_create(rows, ignore_conflicts=True)


def _key(*what: str) -> str:
    return sha256("\0".join(what).encode("utf-8", "surrogatepass")).hexdigest()
