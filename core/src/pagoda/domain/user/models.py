"""Users, the roles they hold, what roles may do, and API tokens."""

from __future__ import annotations

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AbstractUser, Group
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from pagoda.domain.text import MAX_NAME_LENGTH, validate_name
from pagoda_plugin_sdk.operations import PermissionLevel

_TOKEN_PREFIX = "pagoda_"  # noqa: S105 - lets secret scanners recognise our tokens
_TOKEN_BYTES = 32


class Level(models.IntegerChoices):
    """What a user may do with an entity, an attribute or an entry; a higher level includes the lower ones."""

    NOTHING = PermissionLevel.NOTHING, "nothing"  # not even see it
    READABLE = PermissionLevel.READABLE, "readable"  # see it
    WRITABLE = PermissionLevel.WRITABLE, "writable"  # change its values
    FULL = PermissionLevel.FULL, "full"  # delete it, restore it, change its permissions


def default_level() -> int:
    """Return the level that everybody who is logged in has on an entity made without one."""
    return Level[settings.PAGODA.pagoda_default_level.upper()]


class User(AbstractUser):
    """Somebody who logs in. A new password, and being switched off, end their API tokens."""

    def save(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's arguments
        """Store the row; its tokens go with the password that they were asked for with."""
        is_new_password = vars(self).get("_password") is not None  # until Django has stored it
        with transaction.atomic():
            super().save(*args, **kwargs)
            if is_new_password or not self.is_active:
                for token in self.api_tokens.all():  # one by one: each is an event of the audit log
                    token.delete()


class GroupNesting(models.Model):
    """That a group is nested in another one, its parent: what the parent is granted, its members have too."""

    group = models.OneToOneField(Group, models.CASCADE, primary_key=True, related_name="nesting")
    parent = models.ForeignKey(Group, models.CASCADE, related_name="nested")

    class Meta:
        verbose_name = "parent"
        verbose_name_plural = "parent"

    def __str__(self) -> str:
        return f"{self.group} in {self.parent}"

    def save(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's arguments
        """Store the row.

        Raises:
            ValidationError: the parent is the group itself, or nested in it.
        """
        with transaction.atomic():
            # Two requests at once could close a circle that neither sees: the second waits for the first.
            parents = GroupNesting.objects.values_list("pk", "parent")
            list(Group.objects.order_by("pk").select_for_update(no_key=True).values_list("pk"))
            self._refuse_circle(dict(parents))
            super().save(*args, **kwargs)

    def _refuse_circle(self, parents: dict[int, int]) -> None:
        above: int | None = self.parent_id
        while above is not None:
            if above == self.group_id:
                how = "itself" if self.parent_id == self.group_id else "nested in it"
                fault = (
                    f"Group {self.group.name!r} can't be nested in {self.parent.name!r}, which is {how}. "
                    "Choose another parent."
                )
                raise ValidationError({"parent": [fault]}, code="circle")
            above = parents.pop(above, None)


class Role(models.Model):
    """A named set of users and groups that permissions are granted to."""

    name = models.CharField(max_length=MAX_NAME_LENGTH, unique=True, validators=[validate_name])
    note = models.TextField(blank=True, default="")
    is_active = models.BooleanField(default=True)  # an inactive role grants nothing
    can_add_entities = models.BooleanField(default=False, help_text="Whether its users may add entities.")
    created_time = models.DateTimeField(auto_now_add=True)
    users = models.ManyToManyField(User, blank=True, related_name="roles")
    groups = models.ManyToManyField(Group, blank=True, related_name="roles")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class RolePermission(models.Model):
    """A level granted to a role on one entity, one attribute or one entry."""

    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="permissions")
    entity = models.ForeignKey(
        "entity.Entity", on_delete=models.CASCADE, null=True, blank=True, related_name="permissions"
    )
    attr = models.ForeignKey(
        "entity.EntityAttr", on_delete=models.CASCADE, null=True, blank=True, related_name="permissions"
    )
    entry = models.ForeignKey(
        "entry.Entry", on_delete=models.CASCADE, null=True, blank=True, related_name="permissions"
    )
    level = models.PositiveSmallIntegerField(choices=Level.choices)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="role_permission_one_target",
                condition=Q(entity__isnull=False, attr__isnull=True, entry__isnull=True)
                | Q(entity__isnull=True, attr__isnull=False, entry__isnull=True)
                | Q(entity__isnull=True, attr__isnull=True, entry__isnull=False),
                violation_error_message="A permission is for exactly one of entity, attr and entry; set one.",
            ),
            models.UniqueConstraint(name="role_permission_entity", fields=["role", "entity"]),
            models.UniqueConstraint(name="role_permission_attr", fields=["role", "attr"]),
            models.UniqueConstraint(name="role_permission_entry", fields=["role", "entry"]),
        ]

    def __str__(self) -> str:
        return f"{self.role}: {Level(self.level).label} on {self.entity or self.attr or self.entry}"


class ApiToken(models.Model):
    """A user's key to the API; only its digest is stored."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=MAX_NAME_LENGTH)  # what the user calls it
    digest = models.CharField(max_length=64, unique=True, editable=False)  # SHA-256 in hex
    created_time = models.DateTimeField(auto_now_add=True)
    expires_time = models.DateTimeField(null=True, blank=True)  # None: never

    class Meta:
        ordering = ["-created_time"]

    def __str__(self) -> str:
        return f"{self.user}: {self.name}"

    @classmethod
    def issue(cls, user: User, name: str, lifetime: timedelta | None) -> tuple[Self, str]:
        """Make a token and return it with its plain text, which can't be had again.

        Raises:
            ValidationError: `lifetime` is not positive, or `name` is blank or too long.
        """
        validate_name(name)
        if lifetime is not None and lifetime <= timedelta(0):
            fault = f"The lifetime of token {name!r} is {lifetime}; give a positive one, or None for ever."
            raise ValidationError({"lifetime": [fault]})
        plain = _TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
        expires_time = None if lifetime is None else timezone.now() + lifetime
        with transaction.atomic():  # with the event that the audit log makes of it
            token = cls.objects.create(user=user, name=name, digest=_digest(plain), expires_time=expires_time)
        return token, plain

    @classmethod
    def authenticate(cls, plain: str) -> ApiToken | None:
        """Return the valid token with its ``user``, who is active, in one query; None when there is none."""
        if not plain.startswith(_TOKEN_PREFIX):
            return None
        is_valid = Q(expires_time__isnull=True) | Q(expires_time__gt=timezone.now())
        tokens = cls.objects.select_related("user")
        return tokens.filter(is_valid, digest=_digest(plain), user__is_active=True).first()


def _digest(plain: str) -> str:
    # A plain hash serves: the text is 32 random bytes, which nobody guesses.
    return sha256(plain.encode(errors="surrogatepass")).hexdigest()
