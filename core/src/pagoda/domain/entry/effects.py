"""What a change of an entity's attributes does to values of its entries, told before or after it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pagoda_plugin_sdk.rules.converting import conversion_fault
from pagoda_plugin_sdk.rules.faults import Faults
from pagoda_plugin_sdk.rules.limits import limits
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.state import Definition, Value
from pagoda_plugin_sdk.rules.value_types import as_json

MOST_EXAMPLES: Final = 5

type ChangeKind = Literal["type", "choices", "is_mandatory", "referral", "removed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """One value: what it is, and what becomes of it. Any: JSON of the types."""

    entry_id: int
    entry_name: str
    before: Any
    after: Any = None
    reason: str = ""  # of a fault


@dataclass(slots=True, kw_only=True)
class ValueEffect:
    """What one change of an attribute does to the values that somebody may see.

    Of a `type` each fault refuses the change. Values that the others have faults of stay as they are.
    """

    before: Definition
    after: Definition
    change: ChangeKind
    entries: int = 0  # that have a value of it; of `is_mandatory` those that have none
    refused: int = 0  # of them, those with a fault
    examples: list[Touched] = field(default_factory=list)  # the first few
    faults: list[Touched] = field(default_factory=list)  # as many as are told of one write
    is_hidden_refused: bool = False  # whether a value that they may not see can't be converted

    def note(self, entry: tuple[int, str], value: Value, becomes: Value | None, reason: str = "") -> None:
        """Count the value of an entry, given by id and name."""
        self.entries += 1
        self.refused += bool(reason)
        kept, most = (self.faults, limits().domain_max_faults) if reason else (self.examples, MOST_EXAMPLES)
        if len(kept) < most:
            before = as_json(self.before, value, is_limited=True)
            after = None if becomes is None else as_json(self.after, becomes, is_limited=True)
            kept.append(
                Touched(entry_id=entry[0], entry_name=entry[1], before=before, after=after, reason=reason)
            )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "id": self.before.id,
            "name": self.after.name,
            "change": self.change,
            "type": self.before.type.type_name,
            "new_type": self.after.type.type_name,
            "entries": self.entries,
            "refused": self.refused,
            "is_hidden_refused": self.is_hidden_refused,
            "examples": [_told(each) for each in self.examples],
            "faults": [_told(each) for each in self.faults],
        }


def _told(each: Touched) -> dict[str, Any]:
    return {
        "entry": {"id": each.entry_id, "name": each.entry_name},
        "before": each.before,
        "after": each.after,
        "reason": each.reason,
    }


def refuse_faults(effects: list[ValueEffect]) -> None:
    """Refuse changes of types that values can't follow.

    Raises:
        ValidationError: keyed by attribute, a message for each of the first values; the rest is counted.
    """
    faults = Faults()
    for effect in effects:
        name = effect.after.name
        for each in effect.faults:
            entry = each.entry_name, each.entry_id
            message = conversion_fault(entry, each.before, effect.after.type, each.reason)
            faults.add(name, message, "conversion")
        for _ in range(effect.refused - len(effect.faults)):
            faults.add(name, "", "conversion")
        if effect.is_hidden_refused:
            message = say(
                "An entry that you may not see has a value that can't become {type}; ask somebody "
                "who may see it.",
                type=effect.after.type.type_name,
            )
            faults.add(name, message, "conversion")
    faults.raise_if_any()
