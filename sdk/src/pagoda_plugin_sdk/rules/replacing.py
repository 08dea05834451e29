"""A value that replaces the stored one, read together with what its sender could not see.

What is shown of a value leaves out references to what is deleted or may not be read. A write that sends it
back, or sends another list, replaces what was shown and leaves the rest as it was:

- A single reference whose target is not shown is replaced by another target alone; null keeps it.
- In an array each such reference stays behind the element it followed, or behind the nearest before that one
  that is sent again; at the start when none is.
- A named reference of which the name alone is shown keeps its target under the name that is sent: found by
  its name, else by its place among those shown without an object. Left out, it loses the name alone.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pagoda_plugin_sdk.rules.state import Definition, Link, Value
from pagoda_plugin_sdk.rules.value_types import parse


def read_replacement(definition: Definition, raw: object, stored: Value) -> Value:
    """Return what `raw`, sent for an attribute that holds `stored`, makes of it.

    What is stored already stays valid whatever the attribute's rules became since. A target that is sent and
    that the sender may not read is as unknown as any other such, and comes without its `target`.

    Raises:
        ValueFault: see `parse`.
    """
    sent = parse(definition, raw, stored)
    if not definition.type.is_reference or not stored.elements:
        return sent
    targets = {link.target_id: link.target for link in stored.links if link.target and link.target.is_visible}
    links = [replace(link, target=targets.get(link.target_id)) for link in sent.links]
    if definition.type.is_array:
        merged = _merged(links, stored.links)
        if is_stored(Value(tuple(merged)), stored):
            return stored
        return Value(tuple(link for link in merged if link != Link()))
    before = stored.links[0]
    if _is_shown(before) or (links and links[0].target_id is not None):
        return Value(tuple(links))
    kept = replace(before, name=links[0].name if links else "")
    return stored if kept == before else Value((kept,))


def is_stored(value: Value, stored: Value) -> bool:
    """Return whether `value`, a replacement, is what is `stored` already.

    It is not where it names a target that its sender may not read: who guesses one is told what is told of
    every such, not that it is the one.
    """
    return value == stored and all(
        link.target is not None or before.target is None
        for link, before in zip(value.links, stored.links, strict=True)
    )


def _merged(sent: Sequence[Link], stored: Sequence[Link]) -> list[Link]:
    places = _places(sent, stored)
    unseen: defaultdict[int, list[Link]] = defaultdict(list)  # by the place of what they stay behind
    anchor, matched = -1, set(places.values())
    for place, link in enumerate(stored):
        if place in matched:
            anchor = place
        elif not _is_shown(link):
            unseen[anchor].append(replace(link, name=""))
    merged = unseen.pop(-1, [])
    for number, link in enumerate(sent):
        before = stored[places[number]] if number in places else link
        is_bare = link.target_id is None and not _is_shown(before)
        merged.append(replace(before, name=link.name) if is_bare else link)
        merged += unseen.get(places.get(number, -1), ())
    return merged


def _places(sent: Sequence[Link], stored: Sequence[Link]) -> Mapping[int, int]:
    """Return where each sent link, by its position, stands among the stored ones, if it does."""
    places: dict[int, int] = {}
    wanted = [_keys(link, link) for link in sent]
    known = [_keys(link, link if _is_shown(link) else Link(name=link.name)) for link in stored]
    for sureness in range(len(_keys(Link(), Link()))):
        taken = set(places.values())
        free: defaultdict[object, deque[int]] = defaultdict(deque)
        for place, keys in enumerate(known):
            if place not in taken and keys[sureness] is not None:
                free[keys[sureness]].append(place)
        for number, keys in enumerate(wanted):
            if number not in places and free.get(keys[sureness]):
                places[number] = free[keys[sureness]].popleft()
    return places


def _keys(link: Link, shown: Link) -> tuple[object, ...]:
    """Return what tells a link again, the surest first; None: it can't be told by this."""
    return (
        None if link.target_id is None else link,
        None if shown == Link() else shown,
        link.target_id,
        True if shown.name and shown.target_id is None else None,
    )


def _is_shown(link: Link) -> bool:
    if link.target_id is None:
        return link != Link()  # its target was removed for good
    return link.target is not None and link.target.is_active and link.target.is_visible
