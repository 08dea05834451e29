"""Searches that users have saved."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from pagoda.domain.entity.models import Entity
from pagoda.domain.stamped import NameField
from pagoda.domain.user.models import User


class SavedSearch(models.Model):
    """What is searched for, under a name of its owner's; what it finds is up to who runs it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_searches")
    name = NameField()
    is_shared = models.BooleanField(default=False)  # everybody who is logged in sees and runs it
    search = models.JSONField()  # as the API took it, without page
    named = models.JSONField(null=True)  # ids of what it names; null: an earlier release saved it
    entities = models.ManyToManyField(Entity, related_name="+")  # that it looks into; none: all
    created_time = models.DateTimeField(auto_now_add=True)
    updated_time = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "search"
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="search_one_per_name")]
        indexes = [models.Index(fields=["name"], condition=Q(is_shared=True), name="search_shared")]

    def __str__(self) -> str:
        return self.name
