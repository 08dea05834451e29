"""What the claims of an OpenID provider say of a user's groups, roles and rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction

from pagoda.domain.acting import acting_as
from pagoda.domain.user.models import Role, User
from pagoda_plugin_sdk.rules.text import by_clean_name, clean_name, spellings

log = structlog.get_logger(__name__)


def claims_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims of ID token and userinfo, as django-allauth keeps them, in one."""
    return {**told.get("id_token", {}), **told.get("userinfo", {})}


def follow_claims(user: User, claims: Mapping[str, Any]) -> None:
    """Make the user a member of what PAGODA_OIDC_GROUPS and _ROLES name for their claim, and no more of it.

    Groups and roles that no mapping names are left alone; names that nothing has are logged.
    """
    given, told = settings.PAGODA, _told(claims.get(settings.PAGODA.pagoda_oidc_groups_claim))
    # The provider decides, not whoever the browser was logged in as before.
    with acting_as(None), transaction.atomic():
        _follow("group", user.groups, Group.objects, given.pagoda_oidc_groups, told)
        _follow("role", user.roles, Role.objects, given.pagoda_oidc_roles, told)
        if given.pagoda_oidc_superusers:
            is_superuser = bool(told & set(given.pagoda_oidc_superusers))
            if user.is_superuser != is_superuser:
                user.is_superuser = user.is_staff = is_superuser
                user.save(update_fields=["is_superuser", "is_staff"])


def _told(claim: object) -> Set[str]:
    values = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return {value for value in values if isinstance(value, str)}


def _follow(
    noun: str,
    held: Any,  # Any, here and below: Django's managers of related rows, which have no common type
    rows: Any,
    mapping: Mapping[str, Sequence[str]],
    told: Set[str],
) -> None:
    wanted = {clean_name(name) for value in told for name in mapping.get(value, ())}
    asked = spellings(each for names in mapping.values() for each in names)
    named = by_clean_name((row.name, row) for row in rows.filter(name__in=asked))
    rows_held = held.filter(pk__in=[row.pk for row in named.values()])
    holds = {clean_name(row.name) for row in rows_held}
    held.remove(*(named[name] for name in sorted(holds - wanted)))
    held.add(*(named[name] for name in sorted((wanted & named.keys()) - holds)))
    if missing := sorted(wanted - named.keys()):
        log.warning("oidc_names_nothing", noun=noun, names=missing)
