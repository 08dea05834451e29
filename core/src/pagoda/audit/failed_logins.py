"""Failed logins in the audit log: told at once, then counted, so that nobody makes it grow without bound.

The first failure of a client's network in an hour is an event; those after it are another one when the hour
has passed, with their number and the first names that were tried. The counts add up to all failures.
"""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address, ip_network

import structlog
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone

from pagoda.audit.actions import Action
from pagoda.audit.models import FailedLogins
from pagoda.audit.recording import record
from pagoda_plugin_sdk.washing import washed

WINDOW = timedelta(hours=1)
NETWORKS_MAX = 100
"""Networks of one kind of failure that are told apart at a time; more count as one."""
ELSEWHERE = "elsewhere"
NAMES_MAX = 10
NAME_MAX = 150

log = structlog.get_logger(__name__)


def client_network(request: HttpRequest | None) -> str:
    """Return the client's network, its /24 or, for IPv6, its /64; "unknown" when there is no address."""
    try:
        address = ip_address("" if request is None else request.META.get("REMOTE_ADDR", "").partition("%")[0])
    except ValueError:
        return "unknown"
    address = getattr(address, "ipv4_mapped", None) or address
    return str(ip_network((address, 24 if address.version == 4 else 64), strict=False))


def count_failure(action: Action, request: HttpRequest | None, name: str = "") -> None:
    """Count a failure of a kind, ``LOGIN_FAILED`` or ``TOKEN_REFUSED``; tell the first of its network."""
    network, name = client_network(request), washed(name, NAME_MAX)
    log.info(action.value.replace(".", "_"), network=network, username=name)
    close_ended()  # in a transaction of its own: who waits for a row holds no other
    with transaction.atomic():
        kind = FailedLogins.objects.filter(action=action.value)
        if not kind.filter(network=network).exists() and kind.count() >= NETWORKS_MAX:
            network = ELSEWHERE
        # Inserts the row or locks the one that is there, whatever becomes of it meanwhile
        FailedLogins.objects.bulk_create(
            [FailedLogins(action=action.value, network=network, ends_at=timezone.now() + WINDOW)],
            update_conflicts=True,
            unique_fields=["action", "network"],
            update_fields=["action"],
        )
        row = kind.get(network=network)
        row.count += 1
        if row.count == 1:
            record(action, subject_type="user", subject=name, details={"network": network, "count": 1})
        elif name and name not in row.names and len(row.names) < NAMES_MAX:
            row.names.append(name)
        row.save()


def close_ended() -> None:
    """Tell the failures of the hours that have ended; any number of processes may do it."""
    skip = connection.features.has_select_for_update_skip_locked
    with transaction.atomic():
        ended = FailedLogins.objects.select_for_update(skip_locked=skip).filter(ends_at__lte=timezone.now())
        for row in ended:
            if row.count > 1:
                details = {"network": row.network, "count": row.count - 1, "names": row.names}
                record(Action(row.action), subject_type="user", details=details)
            row.delete()
