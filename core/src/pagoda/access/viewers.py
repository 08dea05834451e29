"""Who asks."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser

from pagoda.domain.user.permissions import Viewer


def viewer(user: Viewer | None) -> Viewer:
    """Return `user`; nobody is an anonymous user, who has the defaults and no more."""
    return AnonymousUser() if user is None else user
