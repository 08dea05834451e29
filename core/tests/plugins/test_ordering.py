from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pagoda.plugins.ordering import LoadOrder, Node, load_order
from pagoda.plugins.records import ReasonCode


def node(key: str, *dependencies: str, also: tuple[str, ...] = ()) -> Node:
    return Node(key=key, names=(key, *also), dependencies=dependencies)


def order(*nodes: Node, skipped: dict[str, str] | None = None) -> LoadOrder:
    return load_order(nodes, skipped or {}, lambda name: f"Nobody knows {name!r}.")


def test_without_dependencies_the_enabled_order_stays() -> None:
    assert order(node("c"), node("a"), node("b")).keys == ("c", "a", "b")


def test_a_dependency_loads_first_and_the_rest_keeps_its_order() -> None:
    assert order(node("a"), node("b", "d"), node("c"), node("d")).keys == ("a", "c", "d", "b")


def test_a_dependency_may_be_named_by_any_name_of_a_plugin() -> None:
    assert order(node("b", "the-id"), node("a", also=("the-id",))).keys == ("a", "b")


def test_a_gap_is_named_and_refuses_dependants_too() -> None:
    found = order(node("a", "gone"), node("b", "a"), node("c"))

    assert found.keys == ("c",)
    assert found.refused["a"].reason_code is ReasonCode.DEPENDENCY_MISSING
    assert str(found.refused["a"]) == (
        "Plugin 'a' depends on plugin 'gone', which is not enabled. Nobody knows 'gone'."
    )
    assert found.refused["b"].reason_code is ReasonCode.DEPENDENCY_SKIPPED
    assert str(found.refused["b"]) == (
        "Plugin 'b' depends on plugin 'a', which is skipped. Mend 'a' first; its own reason tells how."
    )


def test_a_cycle_is_shown_from_each_member_and_refuses_dependants() -> None:
    found = order(node("a", "b"), node("b", "c"), node("c", "a"), node("d", "b"), node("e"))

    assert found.keys == ("e",)
    assert "itself: a -> b -> c -> a." in str(found.refused["a"])
    assert "itself: b -> c -> a -> b." in str(found.refused["b"])
    assert {key: refused.reason_code for key, refused in found.refused.items()} == {
        "a": ReasonCode.DEPENDENCY_CYCLE,
        "b": ReasonCode.DEPENDENCY_CYCLE,
        "c": ReasonCode.DEPENDENCY_CYCLE,
        "d": ReasonCode.DEPENDENCY_SKIPPED,
    }


def test_a_plugin_that_depends_on_itself_is_a_cycle_of_one() -> None:
    found = order(node("a", "a"))

    assert found.keys == ()
    assert "itself: a -> a." in str(found.refused["a"])


def test_two_separate_cycles_are_both_found() -> None:
    found = order(node("a", "b"), node("b", "a"), node("x", "y"), node("y", "x"))

    assert {refused.reason_code for refused in found.refused.values()} == {ReasonCode.DEPENDENCY_CYCLE}
    assert sorted(found.refused) == ["a", "b", "x", "y"]


def test_a_plugin_refused_before_refuses_its_dependants() -> None:
    found = order(node("b", "a-alias"), skipped={"a-alias": "a"})

    assert found.refused["b"].reason_code is ReasonCode.DEPENDENCY_SKIPPED
    assert "depends on plugin 'a'" in str(found.refused["b"])


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    keys = draw(st.lists(st.sampled_from("abcdefgh"), unique=True))
    return [node(key, *draw(st.lists(st.sampled_from("abcdefghz"), unique=True, max_size=3))) for key in keys]


@given(graphs())
def test_every_plugin_is_either_ordered_after_its_dependencies_or_refused(nodes: list[Node]) -> None:
    found = order(*nodes)

    assert sorted([*found.keys, *found.refused]) == sorted(n.key for n in nodes)
    places = {key: place for place, key in enumerate(found.keys)}
    for n in nodes:
        if n.key in places:
            assert all(places[need] < places[n.key] for need in n.dependencies)


@given(graphs())
def test_a_plugin_is_refused_only_for_a_reason_in_the_graph(nodes: list[Node]) -> None:
    found = order(*nodes)

    for n in nodes:
        if n.key in found.refused:
            missing = any(need not in {m.key for m in nodes} for need in n.dependencies)
            behind = any(need in found.refused for need in n.dependencies)
            assert missing or behind
