"""Words in names, notes and texts: found as whole words on PostgreSQL, as parts of text on SQLite.

Only what the user may read of an entry makes it found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.db import connection
from django.db.models import BooleanField, F, Func, Q, QuerySet

from pagoda.domain.access.querysets import readable
from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.search.bounding import refuse_hopeless, require_values
from pagoda.domain.search.conditions import MAX_TEXT_LENGTH
from pagoda.domain.search.filters import composed, read_text
from pagoda.domain.search.values import Compared, ValueKind, has_part
from pagoda.domain.user.permissions import Viewer
from pagoda_plugin_sdk.rules.saying import say

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler

DOCUMENT: Final = (
    "(to_tsvector('simple'::regconfig, {name} || ' ' || {note})"
    " || CASE WHEN octet_length({values}::text) <= 250000 THEN"
    " jsonb_to_tsvector('simple'::regconfig, COALESCE({values}, '{{}}'::jsonb), '[\"string\"]'::jsonb)"
    " ELSE to_tsvector('simple'::regconfig, left(COALESCE({values}::text, ''), 250000)) END)"
)
"""What words are looked for in, letter by letter as the index has it; PostgreSQL refuses longer ones."""

MAX_WORDS: Final = 20
MAX_MARKED: Final = 10  # fields of an entry
_AROUND: Final = 60  # characters around what is marked
_WORD: Final = re.compile(r"\w+")


def has_text(text: str, rows: QuerySet[Entry], viewer: Viewer | None) -> Q:
    """Return the condition that an entry has the words of a text, as far as `viewer` may read it.

    Raises:
        ValidationError: keyed by ``text``; it is none, or too many rows would have to be gone through.
    """
    read_text("text", text, MAX_TEXT_LENGTH)
    require_values()
    seen = readable(EntityAttr.objects.active().order_by(), viewer)
    hidden = list(
        EntityAttr.objects.exclude(pk__in=seen.values("pk")).order_by().values_list("pk", flat=True)
    )
    if connection.vendor == "postgresql":
        part = Compared(ValueKind.TEXT, "contains", composed(text), of=F("name"))
        return Q(_HasWords(text, hidden)) | Q(part) if len(text) > 2 else Q(_HasWords(text, hidden))
    refuse_hopeless("text", rows, [say("SQLite has no index of words; use PostgreSQL")])
    condition = Q()
    for word in text.split()[:MAX_WORDS]:
        forms = [Q(_HasPart(each, hidden)) for each in dict.fromkeys((word, composed(word)))]
        condition &= Q(*forms, _connector=Q.OR)
    return condition


def marked(entry: dict[str, Any], text: str) -> list[dict[str, Any]]:
    """Return where an entry, as it is shown, has the words: ``[{"field", "text", "marks": [[from, to]]}]``.

    Each text is cut around its first mark. Any: JSON.
    """
    given = _WORD.findall(text)[:MAX_WORDS] + _WORD.findall(composed(text))[:MAX_WORDS]
    # PostgreSQL finds a word by its small letters, and SQLite by what Unicode folds it to.
    words = {form for word in given for form in (word.lower(), word.casefold())}
    if not words:
        return []
    pattern = re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True))), re.IGNORECASE)
    found: list[dict[str, Any]] = []
    for field, value in _texts(entry):
        first = pattern.search(value)
        if first is not None and len(found) < MAX_MARKED:
            start = max(0, first.start() - _AROUND)
            cut = value[start : first.end() + _AROUND]
            marks = [[each.start(), each.end()] for each in pattern.finditer(cut)]
            found.append({"field": field, "text": cut, "marks": marks})
    return found


def _texts(entry: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for field in ("name", "note"):
        yield field, str(entry.get(field) or "")
    for attr in entry.get("attrs", ()):
        value = attr["value"]
        for each in value if isinstance(value, list) else [value]:
            plain = each.get("name") if isinstance(each, dict) else each
            if isinstance(plain, str):
                yield f"attr.{attr['name']}", plain


class _HasWords(Func):
    """Whether an entry has words, and has them without what is hidden. Any: what a template would use."""

    output_field = BooleanField()

    def __init__(self, text: str, hidden: Sequence[int]) -> None:
        super().__init__(F("name"), F("note"), F("current_values"))
        self.text, self.hidden = text, [str(each) for each in hidden]

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, *_args: Any, **_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL."""
        name, note, values = (compiler.compile(each)[0] for each in self.get_source_expressions())
        query = "websearch_to_tsquery('simple'::regconfig, %s)"
        sql = f"{DOCUMENT.format(name=name, note=note, values=values)} @@ {query}"
        if not self.hidden:
            return f"({sql})", (self.text,)
        rest = DOCUMENT.format(name=name, note=note, values=f"(SELECT {values} - %s::text[])")
        return f"({sql} AND {rest} @@ {query})", (self.text, *[self.hidden] * rest.count("%s"), self.text)


class _HasPart(Func):
    """Whether an entry has a text somewhere, beside what is hidden."""

    output_field = BooleanField()

    def __init__(self, part: str, hidden: Sequence[int]) -> None:
        super().__init__(F("name"), F("note"), F("current_values"))
        self.part, self.hidden = part, [int(each) for each in hidden]

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, *_args: Any, **_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL; Any: what a template of Func would use."""
        name, note, values = (compiler.compile(each)[0] for each in self.get_source_expressions())
        hidden = ", ".join(f"'{each}'" for each in self.hidden)
        in_name, value = has_part(connection, name, self.part)
        in_note, _value = has_part(connection, note, self.part)
        in_item, _value = has_part(connection, "item.atom", self.part)
        texts = (
            f"SELECT 1 FROM JSON_EACH({values}) held, JSON_TREE({values}, held.fullkey) item"  # noqa: S608 - ids
            f" WHERE held.key NOT IN ({hidden}) AND item.type = 'text' AND {in_item}"
        )
        return f"({in_name} OR {in_note} OR EXISTS ({texts}))", value * 3
