"""What the dispatcher does beside its rounds: seals, alerts and their notices, switches, queues, tidying."""

from __future__ import annotations

from pagoda.audit.failed_logins import close_ended
from pagoda.audit.sealing import seal_all
from pagoda.config.settings import Settings
from pagoda.idempotency import keys
from pagoda.rates import counters, logins
from pagoda.watching import presence, queue_minutes, traffic
from pagoda.watching.alerts.evaluation import evaluate
from pagoda.watching.alerts.notifying import sender, tell
from pagoda.watching.operating import end_over
from pagoda.watching.watcher import Chores, Watcher, process_chores

SEAL_SECONDS = 1.0
SWITCHES_SECONDS = 1.0
PRUNE_SECONDS = 60.0
QUEUES_SECONDS = 20.0  # a minute is never left out

PROCESS = presence.LivingProcess(service="dispatcher")


def watchers(settings: Settings) -> tuple[Watcher, ...]:
    """Return the threads of a dispatcher; notices have one of their own, as their receivers may be slow."""
    silenced = frozenset(settings.alert_silenced_plugins)
    send = sender(settings)
    chores: Chores = {
        **process_chores(PROCESS),
        "seal": (SEAL_SECONDS, seal_all),
        "switches": (SWITCHES_SECONDS, end_over),
        "alerts": (settings.alert_interval_seconds, evaluate),
        "queues": (QUEUES_SECONDS, queue_minutes.note),
        "prune": (PRUNE_SECONDS, _prune),
    }
    return Watcher(chores), Watcher({"notices": (1.0, lambda: tell(send, silenced))})


def _prune() -> None:
    presence.prune()
    traffic.prune()
    queue_minutes.prune()
    counters.prune()
    logins.prune()
    keys.prune()
    close_ended()
