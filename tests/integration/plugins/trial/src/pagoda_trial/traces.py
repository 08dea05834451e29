"""Leaves traces; the model is imported when one is left, as a plugin's class is loaded before its models."""

from __future__ import annotations

import os
import socket


def leave(what: str, subject: object, attempt: int = 0) -> None:
    """Record that something happened here and now."""
    from pagoda_trial.models import Trace  # late: tasks are imported before the app is loaded

    Trace.objects.create(
        what=what, subject=str(subject), attempt=attempt, host=socket.gethostname(), process=os.getpid()
    )
