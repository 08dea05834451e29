"""What the dispatcher tidies up beside its rounds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from pagoda.idempotency.keys import keep, take
from pagoda.idempotency.models import KeptAnswer
from pagoda_worker.chores import watchers


@pytest.mark.django_db
def test_idempotency_keys_whose_time_is_over_are_removed() -> None:
    for key in ("kept", "kept too long"):
        keep(take(1, key, "digest"), 201, {}, b"made")
    for key in ("runs", "has lost its process"):
        take(1, key, "digest")
    over = KeptAnswer.objects.filter(key__in=("kept too long", "has lost its process"))
    over.update(expires_at=timezone.now() - timedelta(seconds=1))

    chores, _ = watchers(settings.PAGODA)
    _, prune = chores._chores["prune"]
    prune()

    assert set(KeptAnswer.objects.values_list("key", flat=True)) == {"kept", "runs"}
