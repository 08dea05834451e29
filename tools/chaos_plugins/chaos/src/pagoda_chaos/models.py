"""What the tasks did."""

from django.db import models


class Effect(models.Model):
    """Something a job did once. No constraint keeps a second one out: a double would be seen."""

    job = models.PositiveBigIntegerField(db_index=True)
    attempt = models.PositiveIntegerField()
    task = models.CharField(max_length=40)
    recorded_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.task} of job {self.job}, attempt {self.attempt}"


class Overlap(models.Model):
    """A job that was run by two processes at once. None is ever expected."""

    job = models.PositiveBigIntegerField()
    attempt = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"attempt {self.attempt} of job {self.job} found another one running"
