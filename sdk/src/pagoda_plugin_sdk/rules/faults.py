"""What the services refuse with: all faults of a write together, up to a number that a reader can use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from pagoda_plugin_sdk.rules.limits import limits
from pagoda_plugin_sdk.rules.saying import say

_KEY_LENGTH: Final = 1_000
OF_THE_WHOLE: Final = (NON_FIELD_ERRORS, "non_field_errors")
"""How Django and DRF key what concerns no single field."""


def fault_key(name: str) -> str:
    """Return by what key the faults of an attribute or field are told: its name.

    One that is called as Django or DRF calls what concerns the whole is told as a search names it,
    ``attr.__all__``.
    """
    return f"attr.{name}" if name in OF_THE_WHOLE else name


class AttributeTypeError(ValidationError):
    """A value is not of its attribute's type; ``message_dict`` is ``{attribute name: [message]}``."""


@dataclass(eq=False, slots=True)
class Faults:
    """The faults of one write, collected by what they are about, to be raised at once.

    As many as the setting DOMAIN_MAX_FAULTS are told, the others are counted.
    """

    _messages: dict[str, list[ValidationError]] = field(default_factory=dict, init=False)
    _is_type_error: bool = field(default=False, init=False)
    _count: int = field(default=0, init=False)

    @property
    def is_full(self) -> bool:
        """Whether further ones are counted alone, so that their messages need no work."""
        return self._count >= limits().domain_max_faults

    def add(self, key: str, message: str | ValidationError, code: str | None = None) -> None:
        """Add a fault of field or attribute `key`."""
        if not self.is_full:
            fault = ValidationError(message, code=code)
            # As sent, but for halves of surrogate pairs, which a hook may make up and no answer carries.
            sent = fault_key(key)[:_KEY_LENGTH].encode(errors="backslashreplace").decode()
            self._messages.setdefault(sent, []).append(fault)
        self._count += 1

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
        if not self._count:
            return
        most = limits().domain_max_faults
        if self._count > most:
            more = ValidationError(
                say("There are {count:,} more faults.", count=self._count - most), code="more"
            )
            self._messages.setdefault(NON_FIELD_ERRORS, []).append(more)
        raise (AttributeTypeError if self._is_type_error else ValidationError)(self._messages)
