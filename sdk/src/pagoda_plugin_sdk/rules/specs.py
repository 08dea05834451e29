"""What callers say about an attribute of an entity, ``{"name", "type", ...}``, checked once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from django.core.exceptions import ValidationError

from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.operations import PermissionLevel
from pagoda_plugin_sdk.rules.attr_types import AttrType, parse_type
from pagoda_plugin_sdk.rules.converting import follow_type, followed_default
from pagoda_plugin_sdk.rules.faults import Faults
from pagoda_plugin_sdk.rules.limits import limits
from pagoda_plugin_sdk.rules.scalar_types import MAX_INTEGER, MAX_STRING_LENGTH, ValueFault, parse_scalar
from pagoda_plugin_sdk.rules.text import MAX_NAME_LENGTH, listed, name_fault, text_fault
from pagoda_plugin_sdk.rules.value_types import is_a
from pagoda_plugin_sdk.washing import shown

type Referral = Any  # an entity of the host, its id or its name


class StoredAttr(Protocol):
    """What an attribute that is there already shows of itself."""

    pk: Any  # its id
    name: str
    choices: Any  # list of texts
    default_value: Any  # JSON of its type

    @property
    def attr_type(self) -> AttrType: ...


@dataclass(slots=True, kw_only=True)
class AttrSpec:
    """One attribute to add, change or remove."""

    name: str
    id: int | None = None  # of the attribute to change; None: to add
    is_deleted: bool = False  # remove it
    fields: dict[str, Any] = field(default_factory=dict)  # Any: values of EntityAttr's fields, by field
    referral: list[Referral] | None = None  # None: as it is


def copied(given: Any) -> Any:
    """Return the items of a list as copies, so that hooks may change them; anything else as it is.

    Any: unchecked input.
    """
    if not isinstance(given, list | tuple):
        return given
    return [dict(item) if isinstance(item, Mapping) else item for item in given]


def read_specs(given: object, existing: Mapping[int, StoredAttr]) -> list[AttrSpec]:
    """Return the specs in `given`; an attribute is found by ``id``, anything without one is to be added.

    Raises:
        ValidationError: keyed by the attribute's name, all faults together.
    """
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise ValidationError({"attrs": [f"expected a list of {{'name', 'type', ...}}, got {shown(given)}."]})
    most = 2 * max(limits().domain_max_attributes, len(existing))  # all removed, and as many added
    if len(given) > most:
        message = (
            f"has {len(given):,} items, at most {most:,} are allowed in one write; send several, or ask the "
            "operator to raise DOMAIN_MAX_ATTRIBUTES."
        )
        raise ValidationError({"attrs": ValidationError(message, code="too_many")})
    faults = Faults()
    specs = []
    for position, item in enumerate(given):
        try:
            specs.append(_read_spec(item, existing))
        except ValidationError as fault:
            label = item.get("name") if isinstance(item, Mapping) else None
            faults.add(str(label or f"attrs[{position}]"), fault)
    faults.raise_if_any()
    _refuse_doubles(specs)
    return specs


def check_names(existing: Mapping[int, StoredAttr], specs: Sequence[AttrSpec], entity_name: str) -> None:
    """Check the names that the attributes are going to have, and how many they are going to be.

    Raises:
        ValidationError: two attributes would have one name, or they would be too many.
    """
    removed = {spec.id for spec in specs if spec.is_deleted}
    names = {pk: attr.name for pk, attr in existing.items() if pk not in removed}
    names |= {spec.id: spec.name for spec in specs if spec.id is not None and not spec.is_deleted}
    added = [spec.name for spec in specs if spec.id is None]
    most = limits().domain_max_attributes
    if len(names) + len(added) > max(most, len(existing)):
        raise ValidationError({"attrs": ValidationError(_too_many(entity_name, most), code="too_many")})
    doubles = [name for name, count in Counter([*names.values(), *added]).items() if count > 1]
    if doubles:
        raise ValidationError(
            {
                name: ValidationError(
                    f"Entity {entity_name!r} has an attribute {name!r} already; choose another name.",
                    code="taken" if existing else "twice",
                )
                for name in doubles
            }
        )


def _too_many(entity_name: str, most: int) -> str:
    return (
        f"Entity {entity_name!r} would have more than {most:,} attributes, which is the most; spread them "
        "over several entities, or ask the operator to raise DOMAIN_MAX_ATTRIBUTES."
    )


def unknown_entity(attr_name: str, key: int | str, known: Iterable[str]) -> str:
    """Return that an attribute points to an entity, by id or name, that is not among the `known`."""
    misses = near_misses(key, known) if isinstance(key, str) else ""
    noun = "named" if isinstance(key, str) else "with the id"
    return f"Attribute {attr_name!r} points to an entity {noun} {key!r}, which does not exist.{misses}"


def taken_name(name: str) -> ValidationError:
    """Return the refusal of an entity's name that another has."""
    message = f"The name {name!r} is taken by another entity; choose another name."
    return ValidationError({"name": ValidationError(message, code="taken")})


def read_entity_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entity's own fields, checked.

    Raises:
        ValidationError: keyed by field, all faults together.
    """
    fields: dict[str, Any] = {}
    faults = Faults()
    for key, value in given.items():
        if faults.is_full and key not in _ENTITY_FIELDS:
            faults.add(key, "")
            continue
        try:
            fields[key] = _ENTITY_FIELDS.get(key, _unknown_field(key))(value)
        except ValidationError as fault:
            faults.add(key, fault)
    faults.raise_if_any()
    return fields


def _refuse_doubles(specs: Sequence[AttrSpec]) -> None:
    named = Counter(spec.id for spec in specs)
    doubles = [spec for spec in specs if spec.id is not None and named[spec.id] > 1]
    if doubles:
        message = f"The attribute with the id {doubles[0].id} is in the list twice; send it once."
        raise ValidationError({doubles[0].name: [message]}, code="twice")


def _read_spec(item: object, existing: Mapping[int, StoredAttr]) -> AttrSpec:
    if not isinstance(item, Mapping):
        raise ValidationError(f"expected {{'name', 'type', ...}}, got {shown(item)}.", code="type")
    unknown = item.keys() - {*_FIELDS, *_KEYS}
    if unknown:
        name = min(map(str, unknown))[:MAX_NAME_LENGTH]
        known = sorted({*_FIELDS, *_KEYS})
        raise ValidationError(
            f"An attribute has no {name!r}.{near_misses(name, known)} It has {', '.join(known)}.",
            code="unknown",
        )
    attr = _existing(item, existing)
    fields = {key: _FIELDS[key](item[key]) for key in _FIELDS if key in item}
    if attr is None:
        _require_name_and_type(fields)
    _check_together(attr, fields, has_referral=bool(item.get("referral")))
    referral = _referral(item["referral"]) if "referral" in item else None
    if attr and fields.get("type", attr.attr_type) != attr.attr_type and not fields["type"] & AttrType.OBJECT:
        referral = []  # whatever the former type pointed to
    return AttrSpec(
        id=attr.pk if attr else None,
        name=fields.get("name") or (attr.name if attr else ""),
        is_deleted=_boolean(item.get("is_deleted", False)),
        fields=fields,
        referral=referral,
    )


def _existing(item: Mapping[str, Any], existing: Mapping[int, StoredAttr]) -> StoredAttr | None:
    if item.get("id") is None:
        if item.get("is_deleted"):
            raise ValidationError(
                "The attribute to remove is named by its 'id', which is missing.", code="required"
            )
        return None
    is_id = isinstance(item["id"], int) and not isinstance(item["id"], bool)
    attr = existing.get(item["id"]) if is_id else None
    if attr is None:
        known = listed([f"{each.pk} ({each.name!r})" for each in existing.values()])
        raise ValidationError(
            f"The entity has no attribute with the id {shown(item['id'])}. It has {known or 'none'}.",
            code="unknown",
        )
    return attr


def _require_name_and_type(fields: Mapping[str, Any]) -> None:
    for key in ("name", "type"):
        if key not in fields:
            raise ValidationError(f"The attribute has no {key!r}; give it one.", code="required")


def _check_together(attr: StoredAttr | None, fields: dict[str, Any], *, has_referral: bool) -> None:
    """Check what holds between the fields, given and stored; normalise the default value."""
    attr_type = AttrType(fields.get("type", attr.attr_type if attr else 0))
    if attr is not None and attr_type != attr.attr_type:
        follow_type(attr.name, attr.attr_type, fields)
        stored = fields.get("choices", attr.choices)
        if fields.get("default_value", attr.default_value) == attr.default_value:  # left out, or sent back
            fields["default_value"] = followed_default(attr.attr_type, attr_type, attr.default_value, stored)
    if has_referral and not attr_type & AttrType.OBJECT:
        raise ValidationError(
            f"'referral' is for types that point to entries, not for {attr_type.type_name}; leave it out.",
            code="referral",
        )
    if fields.get("on_delete", "null") != "null" and not attr_type & AttrType.OBJECT:
        raise ValidationError(
            f"'on_delete' is for types that point to entries, not for {attr_type.type_name}; leave it out.",
            code="on_delete",
        )
    choices = fields.get("choices", attr.choices if attr else [])
    if bool(choices) != bool(attr_type & AttrType.SELECT):
        raise ValidationError(_choices_fault(attr_type), code="choices")
    if "default_value" in fields or "choices" in fields:
        default = fields.get("default_value", attr.default_value if attr else None)
        fields["default_value"] = _default(attr_type, default, choices)


def _choices_fault(attr_type: AttrType) -> str:
    if attr_type & AttrType.SELECT:
        return "A select needs 'choices', a list of texts."
    return f"'choices' are for select and array_select, not for {attr_type.type_name}; leave them out."


def _default(attr_type: AttrType, raw: object, choices: Sequence[str]) -> Any:  # Any: JSON of the type
    if raw is None or (attr_type.is_array and raw == []):  # how an array without a default is shown
        return None
    if attr_type.is_reference:
        raise ValidationError(
            f"'default_value' {shown(raw)} can't be for {attr_type.type_name}; references have none.",
            code="default",
        )
    try:
        elements = parse_scalar(attr_type, raw, choices)
    except ValueFault as fault:
        raise ValidationError(f"'default_value': {fault}", code="default") from fault
    return list(elements) if attr_type.is_array else elements[0]


def _name(raw: object) -> str:
    fault = name_fault(raw)
    if fault is not None:
        raise ValidationError(f"The name of an attribute {fault}.", code="name")
    return str(raw)


def read_note(raw: object) -> str:
    fault = text_fault(raw, MAX_STRING_LENGTH)
    if fault is not None:
        raise ValidationError(f"The note: {fault}.", code="note")
    return str(raw)


def _boolean(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise ValidationError(f"expected true or false, got {shown(raw)}.", code="type")
    return raw


def _index(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or abs(raw) > 2**31 - 1:
        raise ValidationError(f"'index' is an integer of 32 bits, got {shown(raw)}.", code="type")
    return raw


def read_level(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or raw not in list(PermissionLevel):
        listed = ", ".join(f"{level.value} ({level.name.lower()})" for level in PermissionLevel)
        raise ValidationError(f"'default_permission' is one of {listed}, got {shown(raw)}.", code="type")
    return PermissionLevel(raw).value


ON_DELETE: Final = ("null", "protect", "chain")
"""What the deletion of an entry does to one that refers to it: its reference reads as null, it keeps the
entry from being deleted, or it is deleted, too."""


def _on_delete(raw: object) -> str:
    if not isinstance(raw, str) or raw not in ON_DELETE:
        raise ValidationError(f"'on_delete' is one of {', '.join(ON_DELETE)}, got {shown(raw)}.", code="type")
    return raw


def _choices(raw: object) -> list[str]:
    if not isinstance(raw, list | tuple):
        raise ValidationError(f"'choices' is a list of texts, got {shown(raw)}.", code="choices")
    _refuse_many("choices", raw)
    for choice in raw:
        fault = name_fault(choice)
        if fault is not None:
            raise ValidationError(f"A choice {fault}.", code="choices")
    if len(set(raw)) < len(raw):
        raise ValidationError(f"'choices' names one twice: {shown(list(raw))}.", code="choices")
    return list(raw)


def _referral(raw: object) -> list[Referral]:
    if not isinstance(raw, list | tuple):
        raise ValidationError(
            f"'referral' is a list of entities, ids or names, got {shown(raw)}.", code="referral"
        )
    _refuse_many("referral", raw)
    for each in raw:
        is_name = isinstance(each, str) and name_fault(each) is None
        is_id = isinstance(each, int) and not isinstance(each, bool) and 0 < each <= MAX_INTEGER
        if not (is_name or is_id or is_a(each, "entity")):
            raise ValidationError(
                f"'referral' takes entities, ids and names, not {shown(each)}.", code="referral"
            )
    return list(raw)


def _refuse_many(key: str, raw: Sequence[object]) -> None:
    most = limits().domain_max_choices
    if len(raw) > most:
        raise ValidationError(
            f"{key!r} has {len(raw):,} items, at most {most:,} are allowed; ask the operator to raise "
            "DOMAIN_MAX_CHOICES.",
            code="too_many",
        )


def _anything(raw: Any) -> Any:  # Any: checked against the type by _default
    return raw


_FIELDS: Final[Mapping[str, Callable[[Any], Any]]] = {  # Any: raw input in, the field's value out
    "name": _name,
    "type": parse_type,
    "is_mandatory": _boolean,
    "index": _index,
    "is_summarized": _boolean,
    "is_indexed": _boolean,
    "is_delete_in_chain": _boolean,
    "on_delete": _on_delete,
    "note": read_note,
    "default_value": _anything,
    "choices": _choices,
    "default_permission": read_level,
}
_KEYS: Final = ("id", "is_deleted", "referral")


def _entity_name(raw: object) -> str:
    fault = name_fault(raw)
    if fault is not None:
        raise ValidationError(f"The name of an entity {fault}.", code="name")
    return str(raw)


def _unknown_field(key: str) -> Callable[[object], object]:
    def refuse(_raw: object) -> object:
        misses = near_misses(key, _ENTITY_FIELDS)
        raise ValidationError(
            f"An entity has no field {key!r}.{misses} It has {', '.join(_ENTITY_FIELDS)}.", code="unknown"
        )

    return refuse


_ENTITY_FIELDS: Final[Mapping[str, Callable[[object], object]]] = {
    "name": _entity_name,
    "note": read_note,
    "default_permission": read_level,
}
