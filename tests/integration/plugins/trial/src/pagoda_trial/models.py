"""What tasks and handlers did, and in which container."""

from __future__ import annotations

from django.db import models


class Trace(models.Model):
    """Something that happened once. No constraint keeps a second one out: a double would be seen."""

    what = models.CharField(max_length=60, db_index=True)  # a task's or a hook's name
    subject = models.CharField(max_length=200, db_index=True)  # a job's id, or the object's name
    attempt = models.PositiveIntegerField(default=0)  # of the job
    host = models.CharField(max_length=64)  # a container's name for itself
    process = models.PositiveIntegerField()
    recorded_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.what} of {self.subject} on {self.host}"
