"""What callers say about an attribute of an entity, ``{"name", "type", ...}``, checked once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Protocol

from django.core.exceptions import ValidationError

from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.operations import PermissionLevel
from pagoda_plugin_sdk.rules.attr_types import AttrType, parse_type
from pagoda_plugin_sdk.rules.converting import follow_type, followed_default
from pagoda_plugin_sdk.rules.faults import Faults, fault_key
from pagoda_plugin_sdk.rules.limits import limits
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.scalar_types import MAX_STRING_LENGTH, ValueFault, is_row_id
from pagoda_plugin_sdk.rules.text import (
    MAX_NAME_LENGTH,
    clean_name,
    label_fault,
    listed,
    name_fault,
    renamed,
)
from pagoda_plugin_sdk.rules.value_types import is_a, parse_scalar
from pagoda_plugin_sdk.washing import shown, text_fault

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


def copied(given: Any, existing: Mapping[int, StoredAttr] = MappingProxyType({})) -> Any:
    """Return the items of a list as copies with clean names, which hooks may change; anything else as it is.

    Any: unchecked input. The name of one of the `existing`, sent back as it is stored, stays so.
    """
    if not isinstance(given, list | tuple):
        return given
    return [_copied(item, existing) if isinstance(item, Mapping) else item for item in given]


def _copied(item: Mapping[str, Any], existing: Mapping[int, StoredAttr]) -> dict[str, Any]:
    if "name" not in item:
        return dict(item)
    attr = existing.get(key) if isinstance(key := item.get("id"), int) else None
    return {**item, "name": renamed(attr.name if attr else "", item["name"])}


def read_specs(given: object, existing: Mapping[int, StoredAttr]) -> list[AttrSpec]:
    """Return the specs in `given`; an attribute is found by ``id``, anything without one is to be added.

    Raises:
        ValidationError: keyed by the attribute's name, all faults together.
    """
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise ValidationError(
            {"attrs": [say("expected a list of {{'name', 'type', ...}}, got {given}.", given=shown(given))]}
        )
    most = 2 * max(limits().domain_max_attributes, len(existing))  # all removed, and as many added
    if len(given) > most:
        message = say(
            "has {count:,} items, at most {most:,} are allowed in one write; send several, or "
            "ask the operator to raise DOMAIN_MAX_ATTRIBUTES.",
            count=len(given),
            most=most,
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
    names = {pk: clean_name(attr.name) for pk, attr in existing.items() if pk not in removed}
    names |= {spec.id: clean_name(spec.name) for spec in specs if spec.id is not None and not spec.is_deleted}
    added = [clean_name(spec.name) for spec in specs if spec.id is None]
    given = {*added, *(clean_name(spec.name) for spec in specs if "name" in spec.fields)}
    most = limits().domain_max_attributes
    if len(names) + len(added) > max(most, len(existing)):
        raise ValidationError({"attrs": ValidationError(_too_many(entity_name, most), code="too_many")})
    counts = Counter([*names.values(), *added])
    doubles = [name for name in counts if counts[name] > 1 and name in given]
    if doubles:
        raise ValidationError(
            {
                name: ValidationError(
                    say(
                        "Entity {entity_name!r} has an attribute {name!r} already; choose another name.",
                        entity_name=entity_name,
                        name=name,
                    ),
                    code="taken" if existing else "twice",
                )
                for name in doubles
            }
        )


def _too_many(entity_name: str, most: int) -> str:
    return say(
        "Entity {entity_name!r} would have more than {most:,} attributes, which is the most; spread them "
        "over several entities, or ask the operator to raise DOMAIN_MAX_ATTRIBUTES.",
        entity_name=entity_name,
        most=most,
    )


def unknown_entity(attr_name: str, key: int | str, known: Iterable[str]) -> str:
    """Return that an attribute points to an entity, by id or name, that is not among the `known`."""
    by = say("named {key!r}", key=key) if isinstance(key, str) else say("with the id {key}", key=key)
    misses = near_misses(key, known) if isinstance(key, str) else ""
    return say(
        "Attribute {name!r} points to an entity {by}, which does not exist.{misses}",
        name=attr_name,
        by=by,
        misses=misses,
    )


def _refuse_doubles(specs: Sequence[AttrSpec]) -> None:
    named = Counter(spec.id for spec in specs)
    doubles = [spec for spec in specs if spec.id is not None and named[spec.id] > 1]
    if doubles:
        message = say("The attribute with the id {id} is in the list twice; send it once.", id=doubles[0].id)
        raise ValidationError({fault_key(doubles[0].name): [message]}, code="twice")


def _read_spec(item: object, existing: Mapping[int, StoredAttr]) -> AttrSpec:
    if not isinstance(item, Mapping):
        fault = say("expected {{'name', 'type', ...}}, got {item}.", item=shown(item))
        raise ValidationError(fault, code="type")
    unknown = item.keys() - {*_FIELDS, *_KEYS}
    if unknown:
        name = min(map(str, unknown))[:MAX_NAME_LENGTH]
        known = sorted({*_FIELDS, *_KEYS})
        raise ValidationError(
            say(
                "An attribute has no {name!r}.{hint} It has {known}.",
                name=name,
                hint=near_misses(name, known),
                known=", ".join(known),
            ),
            code="unknown",
        )
    attr = _existing(item, existing)
    kept = {"name"} if attr is not None and item.get("name") == attr.name else set()  # an old one, sent back
    fields = {key: _FIELDS[key](item[key]) for key in _FIELDS if key in item and key not in kept}
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
                say("The attribute to remove is named by its 'id', which is missing."), code="required"
            )
        return None
    is_id = isinstance(item["id"], int) and not isinstance(item["id"], bool)
    attr = existing.get(item["id"]) if is_id else None
    if attr is None:
        known = listed([f"{each.pk} ({each.name!r})" for each in existing.values()]) or say("none")
        pk = shown(item["id"])
        fault = say("The entity has no attribute with the id {pk}. It has {known}.", pk=pk, known=known)
        raise ValidationError(fault, code="unknown")
    return attr


def _require_name_and_type(fields: Mapping[str, Any]) -> None:
    for key in ("name", "type"):
        if key not in fields:
            raise ValidationError(say("The attribute has no {key!r}; give it one.", key=key), code="required")


def _check_together(attr: StoredAttr | None, fields: dict[str, Any], *, has_referral: bool) -> None:
    """Check what holds between the fields, given and stored; normalise the default value."""
    attr_type = AttrType(fields.get("type", attr.attr_type if attr else 0))
    if attr is not None and attr_type != attr.attr_type:
        follow_type(attr.name, attr.attr_type, fields)
        stored = fields.get("choices", attr.choices)
        if fields.get("default_value", attr.default_value) == attr.default_value:  # left out, or sent back
            fields["default_value"] = followed_default(attr.attr_type, attr_type, attr.default_value, stored)
    is_pointing = {"referral": has_referral, "on_delete": fields.get("on_delete", "null") != "null"}
    for key, is_given in is_pointing.items():
        if is_given and not attr_type & AttrType.OBJECT:
            fault = say(
                "{key!r} is for types that point to entries, not for {kind}; leave it out.",
                key=key,
                kind=attr_type.type_name,
            )
            raise ValidationError(fault, code=key)
    choices = fields.get("choices", attr.choices if attr else [])
    if bool(choices) != bool(attr_type & AttrType.SELECT):
        raise ValidationError(_choices_fault(attr_type), code="choices")
    if "default_value" in fields or "choices" in fields:
        default = fields.get("default_value", attr.default_value if attr else None)
        fields["default_value"] = _default(attr_type, default, choices)


def _choices_fault(attr_type: AttrType) -> str:
    if attr_type & AttrType.SELECT:
        return say("A select needs 'choices', a list of texts.")
    return say(
        "'choices' are for select and array_select, not for {attr_type}; leave them out.",
        attr_type=attr_type.type_name,
    )


def _default(attr_type: AttrType, raw: object, choices: Sequence[str]) -> Any:  # Any: JSON of the type
    if raw is None or (attr_type.is_array and raw == []):  # how an array without a default is shown
        return None
    if attr_type.is_reference:
        raise ValidationError(
            say(
                "'default_value' {raw} can't be for {attr_type}; references have none.",
                raw=shown(raw),
                attr_type=attr_type.type_name,
            ),
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
        raise ValidationError(say("The name of an attribute {fault}.", fault=fault), code="name")
    return str(clean_name(raw))


def read_note(raw: object) -> str:
    fault = text_fault(raw, MAX_STRING_LENGTH)
    if fault is not None:
        raise ValidationError(say("The note: {fault}.", fault=fault), code="note")
    return str(raw)


def _boolean(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise ValidationError(say("expected true or false, got {raw}.", raw=shown(raw)), code="type")
    return raw


def _index(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or abs(raw) > 2**31 - 1:
        raise ValidationError(
            say("'index' is an integer of 32 bits, got {raw}.", raw=shown(raw)), code="type"
        )
    return raw


def read_level(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or raw not in list(PermissionLevel):
        listed = ", ".join(f"{level.value} ({level.name.lower()})" for level in PermissionLevel)
        raise ValidationError(
            say("'default_permission' is one of {listed}, got {raw}.", listed=listed, raw=shown(raw)),
            code="type",
        )
    return PermissionLevel(raw).value


ON_DELETE: Final = ("null", "protect", "chain")
"""What the deletion of an entry does to one that refers to it: its reference reads as null, it keeps the
entry from being deleted, or it is deleted, too."""


def _on_delete(raw: object) -> str:
    if not isinstance(raw, str) or raw not in ON_DELETE:
        raise ValidationError(
            say(
                "'on_delete' is one of {on_delete}, got {raw}.",
                on_delete=", ".join(ON_DELETE),
                raw=shown(raw),
            ),
            code="type",
        )
    return raw


def _choices(raw: object) -> list[str]:
    if not isinstance(raw, list | tuple):
        raise ValidationError(say("'choices' is a list of texts, got {raw}.", raw=shown(raw)), code="choices")
    _refuse_many("choices", raw)
    for choice in raw:
        fault = label_fault(choice)  # values: they stay as they are written
        if fault is not None:
            raise ValidationError(say("A choice {fault}.", fault=fault), code="choices")
    if len(set(raw)) < len(raw):
        raise ValidationError(say("'choices' names one twice: {raw}.", raw=shown(list(raw))), code="choices")
    return list(raw)


def _referral(raw: object) -> list[Referral]:
    if not isinstance(raw, list | tuple):
        raise ValidationError(
            say("'referral' is a list of entities, ids or names, got {raw}.", raw=shown(raw)), code="referral"
        )
    _refuse_many("referral", raw)
    for each in raw:
        is_name = isinstance(each, str) and label_fault(each) is None
        if not (is_name or is_row_id(each) or is_a(each, "entity")):
            raise ValidationError(
                say("'referral' takes entities, ids and names, not {each}.", each=shown(each)),
                code="referral",
            )
    return list(raw)


def _refuse_many(key: str, raw: Sequence[object]) -> None:
    most = limits().domain_max_choices
    if len(raw) > most:
        raise ValidationError(
            say(
                "{key!r} has {count:,} items, at most {most:,} are allowed; ask the operator to "
                "raise DOMAIN_MAX_CHOICES.",
                key=key,
                count=len(raw),
                most=most,
            ),
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
