"""What the services of entries refuse with, all faults of a write together."""

from __future__ import annotations

from django.core.exceptions import ValidationError


class AttributeTypeError(ValidationError):
    """A value is not of its attribute's type; ``message_dict`` is ``{attribute name: [message]}``."""


class Faults:
    """The faults of one write, collected by what they are about, to be raised at once."""

    def __init__(self) -> None:
        self._messages: dict[str, list[ValidationError]] = {}
        self._is_type_error = False

    def add(self, key: str, message: str, code: str) -> None:
        """Add a fault of field or attribute `key`."""
        self._messages.setdefault(key, []).append(ValidationError(message, code=code))

    def add_type(self, key: str, message: str) -> None:
        """Add that the value of an attribute is not of its type."""
        self._is_type_error = True
        self.add(key, message, "type")

    def raise_if_any(self) -> None:
        """Raise all of them together.

        Raises:
            AttributeTypeError: one of them at least is a wrong type.
            ValidationError: there are others.
        """
        if self._messages:
            raise (AttributeTypeError if self._is_type_error else ValidationError)(self._messages)
