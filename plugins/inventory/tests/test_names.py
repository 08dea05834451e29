from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pagoda_inventory.names import MAX_LENGTH, cut, entry_name, host_prefix


def test_name_begins_with_its_host() -> None:
    assert entry_name("web-1", "eth0") == "web-1/eth0"
    assert entry_name("web-1", "eth0").startswith(host_prefix("web-1"))


def test_host_is_not_taken_for_one_whose_name_it_begins() -> None:
    assert not entry_name("web-10", "eth0").startswith(host_prefix("web-1"))


def test_name_that_is_short_enough_is_kept() -> None:
    assert cut("x" * MAX_LENGTH) == "x" * MAX_LENGTH


def test_long_names_are_cut_and_stay_different() -> None:
    one, two = cut("x" * 300 + "1"), cut("x" * 300 + "2")

    assert len(one) == len(two) == MAX_LENGTH
    assert one[:180] == two[:180]
    assert one != two


@given(st.text(st.characters(codec=None), max_size=400))
def test_cutting_twice_is_cutting_once(name: str) -> None:
    assert len(cut(name)) <= MAX_LENGTH
    assert cut(cut(name)) == cut(name)
