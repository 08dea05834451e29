"""What every write service opens: the acting user, a transaction and a change scope."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError
from django.db.models import ProtectedError, RestrictedError

from pagoda.domain.acting import acting_as, acting_user
from pagoda.domain.changes import change_scope
from pagoda.domain.user.models import User


@contextmanager
def writing(user: User | None) -> Iterator[User | None]:
    """Write as `user` in one change scope and yield who that is: without a user it is whoever acts.

    Raises:
        ValidationError: somebody else wrote the same thing at the same moment; nothing is stored.
    """
    actor = user if isinstance(user, User) else acting_user()
    try:
        with acting_as(actor), change_scope():
            yield actor
    except (ProtectedError, RestrictedError):  # somebody's hard delete: no clash
        raise
    except IntegrityError as err:
        message = (
            "The write clashes with another one of this moment; look at what is stored now and try again."
        )
        raise ValidationError({NON_FIELD_ERRORS: [message]}, code="clash") from err
