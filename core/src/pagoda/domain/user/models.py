"""Users, the roles they hold, what roles may do, and API tokens."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence, Set
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import AbstractUser, Group, UserManager
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.dispatch import Signal
from django.utils import timezone
from django.utils.crypto import salted_hmac

from pagoda import running
from pagoda.domain.bound import BoundModel, BoundQuerySet
from pagoda.domain.stamped import NameField
from pagoda.domain.user.networks import are_within, parsed_networks
from pagoda_plugin_sdk.operations import PermissionLevel
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.text import MAX_NAME_LENGTH, clean_name, validate_name

_TOKEN_PREFIX = "pagoda_"  # noqa: S105 - lets secret scanners recognise our tokens
_TOKEN_BYTES = 32
_LONGEST_LIFETIME = timedelta(days=1000 * 365)  # far from the last year that a datetime has


class Level(models.IntegerChoices):
    """What a user may do with an entity, an attribute or an entry; a higher level includes the lower ones."""

    NOTHING = PermissionLevel.NOTHING, "nothing"  # not even see it
    READABLE = PermissionLevel.READABLE, "readable"  # see it
    WRITABLE = PermissionLevel.WRITABLE, "writable"  # change its values
    FULL = PermissionLevel.FULL, "full"  # delete it, restore it, change its permissions


def default_level() -> int:
    """Return the level that everybody who is logged in has on an entity made without one."""
    return Level[settings.PAGODA.pagoda_default_level.upper()]


updating = Signal()
"""Sent before users are changed at once, with ``users``, the queryset, and ``values``: none is saved then."""


class UserQuerySet(BoundQuerySet["User"]):
    """Users; an update that gives a password or switches off ends what they are logged in with."""

    def update(self, **values: Any) -> int:  # Any: values of every field
        """Change the rows at once."""
        rows = self.all()
        with running.as_host():
            updating.send(User, users=rows, values=values)
            return rows._update_and_end(values)  # noqa: SLF001 - of this class

    update.alters_data = True  # type: ignore[attr-defined]  # as Django's own: not for templates

    def _update_and_end(self, values: dict[str, Any]) -> int:
        if not values.keys() & {"password", "is_active"}:
            return super().update(**values)
        with transaction.atomic():
            ids = list(self.values_list("pk", flat=True))
            rows = super().update(**values)
            ended = User.objects.filter(pk__in=ids)
            ended = ended if "password" in values else ended.filter(is_active=False)
            _end_tokens(ended)
            models.QuerySet.update(ended, session_salt=_new_salt())
        return rows


class Users(UserManager["User"]):
    """Django's manager with our queryset."""

    use_in_migrations = False

    def get_queryset(self) -> UserQuerySet:
        """Return all users."""
        return UserQuerySet(self.model, using=self._db)


class User(BoundModel, AbstractUser):
    """Somebody who logs in. A new password, and being switched off, end their API tokens and sessions."""

    session_salt = models.CharField(max_length=32, default="", blank=True, editable=False)

    objects: ClassVar[Users] = Users()

    class Meta(AbstractUser.Meta):
        base_manager_name = "objects"  # so that whoever a row refers to is bound as well

    is_rehashing = False  # while Django stores the password that it has, hashed as it now hashes

    def save(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's arguments
        """Store the row; tokens and sessions go with the password that they were given for."""
        fields = kwargs.get("update_fields")
        with transaction.atomic():
            with running.as_host():
                is_ending = self._is_ending(
                    {"password", "is_active"} & set(fields or ("password", "is_active"))
                )
            if is_ending:
                self.session_salt = _new_salt()
                kwargs |= {} if fields is None else {"update_fields": {*fields, "session_salt"}}
            super().save(*args, **kwargs)
            if is_ending:
                _end_tokens([self])

    def _is_ending(self, fields: Set[str]) -> bool:
        stored = (
            User.objects.filter(pk=self.pk).values_list("password").first() if self.pk and fields else None
        )
        if stored is None:
            return False
        is_loaded = "password" in self.__dict__  # else it is as stored
        is_new = "password" in fields and is_loaded and stored[0] != self.password and not self.is_rehashing
        return is_new or ("is_active" in fields and not self.is_active)

    def check_password(self, raw_password: str | None) -> bool:
        """Return whether it is the password; a better hash of it that is stored meanwhile ends nothing."""
        self.is_rehashing = True
        try:
            return super().check_password(raw_password)
        finally:
            self.is_rehashing = False

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # Django's own as long as nobody has been switched off: what a session is held against.
        key_salt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"
        value = self.password + self.session_salt
        return salted_hmac(key_salt, value, secret=secret, algorithm="sha256").hexdigest()


def _new_salt() -> str:
    return secrets.token_hex(16)


def _end_tokens(users: Iterable[User]) -> None:
    for token in ApiToken.objects.filter(user__in=users):  # one by one: each is an event of the audit log
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
                how = say("itself") if self.parent_id == self.group_id else say("nested in it")
                fault = say(
                    "Group {group!r} can't be nested in {parent!r}, which is {how}. Choose another parent.",
                    group=self.group.name,
                    parent=self.parent.name,
                    how=how,
                )
                raise ValidationError({"parent": ValidationError(fault, code="circle")})
            above = parents.pop(above, None)


def parent_of(group: Group) -> Group | None:
    """Return the group that `group` is nested in."""
    nesting: GroupNesting | None = getattr(group, "nesting", None)
    return None if nesting is None else nesting.parent


def nest(group: Group, parent: Group | None) -> None:
    """Nest `group` in `parent`, or in none.

    Raises:
        ValidationError: see `GroupNesting.save`.
    """
    if parent is not None:
        GroupNesting.objects.update_or_create(group=group, defaults={"parent": parent})
    elif (nesting := GroupNesting.objects.filter(group=group).first()) is not None:
        nesting.delete()


class Role(BoundModel):
    """A named set of users and groups that permissions are granted to."""

    name = NameField(unique=True)
    note = models.TextField(blank=True, default="")
    is_active = models.BooleanField(default=True)  # an inactive role grants nothing
    can_add_entities = models.BooleanField(default=False, help_text="Whether its users may add entities.")
    created_time = models.DateTimeField(auto_now_add=True)
    users = models.ManyToManyField(User, blank=True, related_name="roles")
    groups = models.ManyToManyField(Group, blank=True, related_name="roles")

    objects = BoundQuerySet["Role"].as_manager()

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


class Scope(models.TextChoices):
    """What requests a token is good for."""

    READ_WRITE = "read-write"
    READ_ONLY = "read-only"  # those that change nothing: GET, HEAD, OPTIONS


class ApiToken(BoundModel):
    """A user's key to the API; only its digest is stored."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=MAX_NAME_LENGTH)  # what the user calls it
    digest = models.CharField(max_length=64, unique=True, editable=False)  # SHA-256 in hex
    scope = models.CharField(max_length=10, choices=Scope.choices, default=Scope.READ_WRITE)
    networks = models.JSONField(
        default=list, blank=True
    )  # from which it may be used, ["10.0.0.0/8"]; []: all
    created_time = models.DateTimeField(auto_now_add=True)
    expires_time = models.DateTimeField(null=True, blank=True)  # None: never
    last_used_time = models.DateTimeField(null=True, blank=True, editable=False)  # to a minute

    objects = BoundQuerySet["ApiToken"].as_manager()

    class Meta:
        ordering = ["-created_time"]

    def __str__(self) -> str:
        return f"{self.user}: {self.name}"

    @classmethod
    def issue(
        cls,
        user: User,
        name: str,
        lifetime: timedelta | datetime | None,
        *,
        scope: Scope = Scope.READ_WRITE,
        networks: Sequence[str] = (),
        made_with: ApiToken | None = None,
    ) -> tuple[Self, str]:
        """Make a token and return it with its plain text, which can't be had again.

        Its lifetime may be given by its end. One that is `made_with` another is no good for longer, or from
        elsewhere, than that.

        Raises:
            ValidationError: `lifetime` is not positive or longer than is allowed, `name` is blank or too
                long, or `networks` are none.
        """
        validate_name(name)
        name = clean_name(name)
        now = timezone.now()
        until = lifetime if isinstance(lifetime, datetime) else None
        lifetime = lifetime - now if isinstance(lifetime, datetime) else lifetime
        _check_lifetime(name, lifetime)
        plain = _TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
        expires_time = until or (None if lifetime is None else now + lifetime)
        allowed = [str(network) for network in parsed_networks(networks)]
        if made_with is not None:
            made_with.refuse_more(expires_time, allowed)
        with transaction.atomic():  # with the event that the audit log makes of it
            token: Self = cls.objects.create(  # type: ignore[assignment]  # it has no subclasses
                user=user,
                name=name,
                digest=_digest(plain),
                scope=scope,
                networks=allowed,
                expires_time=expires_time,
            )
        return token, plain

    @classmethod
    def authenticate(cls, plain: str) -> ApiToken | None:
        """Return the valid token with its ``user``, who is active, in one query; None when there is none."""
        if not plain.startswith(_TOKEN_PREFIX):
            return None
        is_valid = Q(expires_time__isnull=True) | Q(expires_time__gt=timezone.now())
        tokens = cls.objects.select_related("user")
        return tokens.filter(is_valid, digest=_digest(plain), user__is_active=True).first()

    def refuse_more(self, expires_time: datetime | None, networks: Sequence[str]) -> None:
        """Refuse what a token that is made with this one can't have.

        Raises:
            ValidationError: it would last longer, or be good from elsewhere.
        """
        faults = {}
        if self.expires_time is not None and (expires_time is None or expires_time > self.expires_time):
            until = self.expires_time.isoformat(timespec="seconds")
            faults["lifetime"] = say(
                "It would last longer than the token that it is made with, to {until}.", until=until
            )
        if self.networks and not (networks and are_within(networks, self.networks)):
            wider = ", ".join(self.networks)
            faults["networks"] = say(
                "They are wider than those of the token that it is made with, {wider}.", wider=wider
            )
        if faults:
            remedy = say("Ask for less, or log in with your password.")
            raise ValidationError({name: [f"{fault} {remedy}"] for name, fault in faults.items()})


def _check_lifetime(name: str, lifetime: timedelta | None) -> None:
    hours = settings.PAGODA.api_token_max_lifetime_hours
    longest = _LONGEST_LIFETIME if hours is None else min(timedelta(hours=hours), _LONGEST_LIFETIME)
    asked = "for ever" if lifetime is None else str(lifetime)
    if lifetime is not None and lifetime <= timedelta(0):
        fault = say(
            "The lifetime of token {name!r} is {asked}; give a positive one, or None for ever.",
            name=name,
            asked=asked,
        )
    elif (lifetime is None and hours is not None) or (lifetime is not None and lifetime > longest):
        fault = say(
            "The lifetime of token {name!r} is {asked}; at most {longest} is allowed here. Give less.",
            name=name,
            asked=asked,
            longest=longest,
        )
    else:
        return
    raise ValidationError({"lifetime": [fault]})


def _digest(plain: str) -> str:
    # A plain hash serves: the text is 32 random bytes, which nobody guesses.
    return sha256(plain.encode(errors="surrogatepass")).hexdigest()
