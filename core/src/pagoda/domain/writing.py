"""What every write service opens: the acting user, a transaction, a change scope."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, connection
from django.db.models import ProtectedError, RestrictedError

from pagoda import running
from pagoda.config.accounts import PLUGIN_PREFIX
from pagoda.domain.acting import acting_as, acting_user
from pagoda.domain.changes import change_scope
from pagoda.domain.user.permissions import Viewer, acting_viewer, person, require_acting_for
from pagoda_plugin_sdk.rules.saying import say


@contextmanager
def writing(user: Viewer | None) -> Iterator[Viewer | None]:
    """Write as `user` in one change scope and yield whose rights decide: without a user, of whoever acts.

    Plugin code writes as the acting user, or on its own authority.

    Raises:
        BeyondAuthority: it names another user.
        ValidationError: somebody else wrote the same thing at the same moment; nothing is stored.
    """
    acting = person(user) or acting_user()
    viewer: Viewer | None = acting
    if not running.is_plain():
        require_acting_for(user)
        viewer = acting_viewer()
    try:
        with acting_as(acting), change_scope():
            yield viewer
    except (ProtectedError, RestrictedError):  # somebody's hard delete: no clash
        raise
    except IntegrityError as err:
        message = say(
            "The write clashes with another one of this moment; look at what is stored now and try again."
        )
        raise ValidationError({NON_FIELD_ERRORS: ValidationError(message, code="clash")}) from err


def is_confined() -> bool:
    """Return whether the database limits the rows of this process, as it does those of a plugin's worker.

    Its policies don't see rows that the same statement has written, on which others depend.
    """
    return str(connection.settings_dict["USER"]).startswith(PLUGIN_PREFIX)
