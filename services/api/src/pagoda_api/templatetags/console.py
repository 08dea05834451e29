"""What the console's templates show: values by their type, moments, and links to the same page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

register = template.Library()

CUT = 200
"""Characters of a text that a table shows."""


def _nothing() -> SafeString:
    return format_html('<span class="none">{}</span>', gettext("none"))


@register.filter
def word(value: str) -> str:
    """Return one of the host's own words in the language of the page; any other as it is."""
    return gettext(str(value)) if value else ""


@register.filter
def field_name(value: str) -> str:
    """Return what a field of the host's models is called, in the language of the page."""
    return gettext(value.replace("_", " "))


@register.filter
def moment(value: datetime | str | None) -> SafeString | str:
    """Return a moment for people and programs: UTC, to the second."""
    if not value:
        return _nothing()
    instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if instant.tzinfo is not None:
        instant = instant.astimezone(UTC)
    return format_html('<time datetime="{}">{}</time>', instant.isoformat(), f"{instant:%Y-%m-%d %H:%M:%S}")


@register.filter
def pretty(value: Any) -> str:
    """Return JSON as text that is easy to read; Any: JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.simple_tag
def invalid(field: Any) -> SafeString:
    """Return the attributes by which inputs lead to the faults of their field; Any: a field of a form."""
    if not field.faults:
        return SafeString()
    return format_html(' aria-invalid="true" aria-describedby="{}-faults"', field.key)


@register.simple_tag
def around_id(url_name: str) -> tuple[str, str]:
    """Return what stands before and behind the id in the path of a page: looked up once for many rows."""
    before, _, behind = reverse(url_name, args=[0]).rpartition("0")
    return before, behind


ENTRY_ROW = (
    '<tr{mark}><td><input type="checkbox" name="pick" value="{name} #{id}" aria-labelledby="pick e{id}"></td>'
    '<th scope="row"><a id="e{id}" href="{before}{id}{behind}">{name}</a>{told}</th>'
    "{cells}<td>{changed}</td></tr>"
)


@register.simple_tag
def entry_rows(rows: Iterable[tuple[Mapping[str, Any], Iterable[Mapping[str, Any] | None]]]) -> SafeString:
    """Return the rows of a table of entries, each with the attributes of its cells; Any: JSON values.

    One tag for all of them: a template's loops over rows and cells take longer than the API for the data.
    """
    before, behind = around_id("console-entry")
    deleted = {"mark": mark_safe(' class="deleted"'), "told": f" {gettext('(deleted)')}"}
    fixed = {"before": before, "behind": behind, "mark": "", "told": ""}
    shown = (
        fixed
        | {"id": entry["id"], "name": entry["name"], "changed": moment(entry["updated_time"])}
        | {"cells": _cells(attrs)}
        | ({} if entry["is_active"] else deleted)
        for entry, attrs in rows
    )
    return format_html_join("\n", ENTRY_ROW, shown)


def _cells(attrs: Iterable[Mapping[str, Any] | None]) -> SafeString:
    found = []
    for attr in attrs:
        kind, held = (attr.get("type", ""), attr.get("value")) if attr else ("", None)  # or a plugin's own
        mark = ' class="number"' if kind == "number" else ""
        found.append(f"<td{mark}>{value(kind, held, brief=True)}</td>")
    return mark_safe("".join(found))  # noqa: S308 - of what `value` made safe


@register.simple_tag
def value(type_name: str, held: Any, *, brief: bool = False) -> SafeString:
    """Return a value by the name of its type; `brief` for a table. Any: a JSON value."""
    if not type_name or held is None or held == []:
        return _nothing()
    if not type_name.startswith("array_"):
        return _element(type_name, held, brief)
    shown = [(_element(type_name.removeprefix("array_"), each, brief),) for each in held]
    if brief:
        more = gettext(" and %d more") % (len(shown) - 3) if len(shown) > 3 else ""
        return format_html("{}{}", format_html_join(", ", "{}", shown[:3]), more)
    return format_html('<ul class="values">{}</ul>', format_html_join("", "<li>{}</li>", shown))


def _element(type_name: str, held: Any, brief: bool) -> SafeString:
    match type_name, held:
        case _, None:
            return _nothing()
        case "object", {"id": pk, "name": name}:
            return format_html('<a href="{}">{}</a>', reverse("console-entry", args=[pk]), name)
        case "named_object", {"name": name, "object": target}:
            return format_html("{}: {}", name, _element("object", target, brief))
        case _, {"name": name} | {"username": name}:
            return escape(name)
        case "boolean", _:
            return escape(gettext("yes") if held else gettext("no"))
        case "datetime", str():
            return format_html('<time datetime="{}">{}</time>', held, held.replace("T", " "))
        case _, str() if brief and len(held) > CUT:
            return format_html("{}…", held[:CUT])
        case "text", _:
            return format_html('<span class="text">{}</span>', held)
        case _:
            return escape(held if isinstance(held, str) else json.dumps(held))
