"""Everything that changes jobs, each change by the table of transitions and fenced against lost workers."""

from pagoda.jobs.store.attempt import Attempt, owner_of
from pagoda.jobs.store.claims import (
    Heartbeat,
    attempts_of,
    claim,
    heartbeat,
    hold,
    is_asked_to_stop,
    lock,
)
from pagoda.jobs.store.control import cancel, requeue, retry, settle
from pagoda.jobs.store.drafts import JobRequest, longest_limit_seconds, target_fields
from pagoda.jobs.store.endings import (
    Failure,
    end_killed,
    fail_attempt,
    finish,
    finish_canceled,
    lose,
    release,
    time_out,
)
from pagoda.jobs.store.publishing import give_back, message_of, publish
from pagoda.jobs.store.reports import LogLine, add_log, attach_file, set_progress, set_text
from pagoda.jobs.store.submission import create, run, run_here, submit, submit_many
from pagoda.jobs.store.sweeps import (
    DueJob,
    Expired,
    due_jobs,
    end_overdue,
    expire_leases,
    look_again,
    purge,
    queued_count,
    release_dependents,
)
from pagoda.jobs.store.ticks import latest_tick, take_tick

__all__ = [
    "Attempt",
    "DueJob",
    "Expired",
    "Failure",
    "Heartbeat",
    "JobRequest",
    "LogLine",
    "add_log",
    "attach_file",
    "attempts_of",
    "cancel",
    "claim",
    "create",
    "due_jobs",
    "end_killed",
    "end_overdue",
    "expire_leases",
    "fail_attempt",
    "finish",
    "finish_canceled",
    "give_back",
    "heartbeat",
    "hold",
    "is_asked_to_stop",
    "latest_tick",
    "lock",
    "longest_limit_seconds",
    "look_again",
    "lose",
    "message_of",
    "owner_of",
    "publish",
    "purge",
    "queued_count",
    "release",
    "release_dependents",
    "requeue",
    "retry",
    "run",
    "run_here",
    "set_progress",
    "set_text",
    "settle",
    "submit",
    "submit_many",
    "take_tick",
    "target_fields",
    "time_out",
]
