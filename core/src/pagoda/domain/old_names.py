"""Names that were stored before names were cleaned: nothing else finds them but what they are spelled as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import Group
from django.db.models import Model

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.search.models import SavedSearch
from pagoda.domain.user.models import Role
from pagoda_plugin_sdk.rules.text import clean_name, name_fault
from pagoda_plugin_sdk.washing import shown

_NAMED: Final[tuple[type[Model], ...]] = (Entity, EntityAttr, Entry, Group, Role, SavedSearch)
_BATCH_SIZE: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OldName:
    """A stored name that a new row would not get."""

    noun: str  # of what it names, such as "entry"
    id: int
    name: str

    def __str__(self) -> str:
        clean = clean_name(self.name)
        new = "a name that is allowed" if name_fault(clean) else shown(clean)
        return f"{self.noun} {self.id} {shown(self.name)} (rename it to {new})"


def old_names() -> Iterator[OldName]:
    """Find the names of rows, deleted ones included, that are not as they would be stored today."""
    for model in _NAMED:
        rows = model._base_manager.order_by("pk").values_list("pk", "name")
        for pk, name in rows.iterator(chunk_size=_BATCH_SIZE):
            if clean_name(name) != name or name_fault(name) is not None:
                yield OldName(noun=str(model._meta.verbose_name), id=pk, name=name)
