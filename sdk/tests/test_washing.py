"""Foreign text and values: what they become, and which are refused with which words."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagoda_plugin_sdk.washing import (
    MAX_DEPTH,
    NotJson,
    json_value,
    shown,
    washed,
    washed_json,
    washed_traceback,
)

ANY_TEXT = st.text(st.characters(codec=None, categories=None, exclude_categories=()), max_size=50)


class Raises:
    """Says nothing of itself."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __str__(self) -> str:
        raise self.error

    __repr__ = __str__


class OddText(str):
    """Text whose methods lie."""

    __slots__ = ()

    def __str__(self) -> str:
        raise SystemExit(3)

    def __getitem__(self, key: Any) -> Any:
        raise SystemExit(3)

    def __len__(self) -> int:
        return 1


class SaysOddText:
    """Shows as a text whose methods lie."""

    def __str__(self) -> str:
        return OddText("a\x00b")


class Level(IntEnum):
    """A number with a name."""

    HIGH = 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\x00b", "a\\x00b"),
        ("\ud800", "\\ud800"),
        ("x\udfff!", "x\\udfff!"),
        ("a\nb\tc", "a\nb\tc"),
        ("\r\x1b[31m\x7f\x85", "\\x0d\\x1b[31m\\x7f\\x85"),
        ("grün 😀", "grün 😀"),
        (ValueError("a\x00b"), "a\\x00b"),
        (7, "7"),
        (OddText("o\x00"), "o\\x00"),
        (SaysOddText(), "a\\x00b"),
        pytest.param(10**5000, "<int that can't be shown: ValueError>", id="huge"),
    ],
)
def test_text_shows_what_no_column_holds(value: object, expected: str) -> None:
    """Control characters and surrogates are escaped; a value that can't say anything is named by its type."""
    assert washed(value) == expected


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_value_that_can_not_say_what_it_is(error: type[BaseException]) -> None:
    """It is named by its type, whatever it raises."""
    assert washed(Raises(error())) == f"<Raises that can't be shown: {error.__name__}>"
    assert shown(Raises(error())) == f"<Raises that can't be shown: {error.__name__}>"
    assert refused([Raises(error())]).startswith("params[0] is Raises, no JSON value")


def test_text_is_shortened_and_says_so() -> None:
    """At the limit nothing is cut; one more is, and the length is given."""
    assert washed("x" * 100, 100) == "x" * 100
    cut = washed("x" * 101, 100)
    assert len(cut) == 100
    assert cut.endswith("... (101 characters)")
    assert washed("abcdefgh", 5) == "ab..."
    assert len(washed("\x00" * 100, 100)) == 100


@given(ANY_TEXT, st.integers(0, 60))
def test_washed_text_is_storable_printable_and_within_its_limit(text: str, limit: int) -> None:
    """Whatever comes in; and washing it twice changes nothing."""
    result = washed(text, limit)
    assert len(result) <= limit
    assert result.encode().decode() == result
    assert all(c in "\n\t" or c.isprintable() or ord(c) >= 0xA0 for c in result)
    assert washed(result, limit) == result
    if len(result) < limit and "\\" not in result:
        assert result == text


def test_shown_is_a_short_repr() -> None:
    """Messages quote values."""
    assert shown("a\x00") == "'a\\x00'"
    assert shown("x" * 80) == "'" + "x" * 59 + "..."


def test_a_traceback_is_washed_and_keeps_its_end() -> None:
    """The end says what was raised and where."""
    error = ValueError("no\x00\ud800")
    assert washed_traceback(error, 1000).strip() == "ValueError: no\\x00\\ud800"
    assert washed_traceback(error, 12) == " no\\x00\\ud800\n"[-12:]


def refused(value: object, max_bytes: int = 1000) -> str:
    """Return the words with which `value` is refused."""
    with pytest.raises(NotJson) as raised:
        json_value(value, "params", max_bytes=max_bytes, setting="JOB_PARAMS_MAX_BYTES")
    return str(raised.value)


def nested(levels: int) -> list[Any]:
    """Return a list in a list, `levels` in all."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"d": math.nan}, "params['d'] is nan, which JSON has no word for; give None or text"),
        ({"d": [1, -math.inf]}, "params['d'][1] is -inf, which"),
        ({"d": {"e": object()}}, "params['d']['e'] is object, no JSON value; give text"),
        ({"d": (x for x in "a")}, "params['d'] is generator, no JSON value"),
        ({1: 2}, "params[1] is no key that JSON has: its keys are text"),
        (["a\x00b"], "params[0] contains a NUL character in 'a\\x00b'; remove it"),
        ({"\ud800": 1}, "params['\\ud800'] contains half of a surrogate pair"),
        ([2**1023], "params[0] is an integer of 1,024 bits; give it as text"),
        pytest.param([-(10**5000)], "params[0] is an integer of 16,610 bits", id="huge"),
        (b"x", "params is bytes, no JSON value"),
        ("x" * 2000, "params has more than 1,000 bytes as JSON, which JOB_PARAMS_MAX_BYTES allows at most"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(value: object, words: str) -> None:
    """The message names the path, the fault and the remedy."""
    assert refused(value).startswith(words)


def test_size_and_depth_are_bounded_exactly() -> None:
    """The size is that of the JSON text as it is stored."""
    value = {"k": "ä" * 10}
    size = len(json.dumps(value))
    assert json_value(value, "x", max_bytes=size, setting="S") == value
    assert "has more than" in refused(value, size - 1)
    assert json_value(nested(MAX_DEPTH), "x", max_bytes=1000, setting="S") == nested(MAX_DEPTH)
    assert f"lies more than {MAX_DEPTH} lists" in refused(nested(MAX_DEPTH + 1))
    itself: list[Any] = []
    itself.append(itself)
    assert "or in itself" in refused(itself)


def test_many_references_to_one_value_end_at_the_size() -> None:
    """A small object that stands for a huge text is not walked to its end."""
    value: Any = ["x" * 100]
    for _ in range(60):
        value = [value] * 10
    assert "has more than 10,000 bytes" in refused(value, 10_000)
    assert len(json.dumps(washed_json(value, max_bytes=10_000))) < 20_000


def test_the_copy_runs_no_foreign_code() -> None:
    """Subclasses become the plain types that they hold."""

    class Odd(dict[str, Any]):
        def items(self) -> Any:
            raise SystemExit(3)

        def __iter__(self) -> Iterator[str]:
            raise SystemExit(3)

    copy = json_value(Odd(a=OddText("b"), n=(Level.HIGH, True, None, 1.5)), "x", max_bytes=1000, setting="S")
    assert copy == {"a": "b", "n": [3, True, None, 1.5]}
    assert [type(copy), type(copy["a"]), type(copy["n"][0])] == [dict, str, int]


JSON_LIKE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | ANY_TEXT
    | st.binary(max_size=3)
    | st.just(object()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(ANY_TEXT | st.integers() | st.none(), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON_LIKE, st.integers(0, 300))
def test_any_value_is_kept_or_refused_and_can_always_be_washed(value: object, max_bytes: int) -> None:
    """What is kept is JSON that PostgreSQL takes, and equal; what is refused is washed to such JSON."""
    fault, copy = "x", None
    try:
        copy = json_value(value, "x", max_bytes=max_bytes, setting="S")
    except NotJson as error:
        fault = str(error)
    assert fault.startswith("x")
    assert washed(fault, 10_000) == fault
    if fault == "x":
        text = json.dumps(copy, allow_nan=False)
        assert len(text) <= max_bytes
        assert "\\u0000" not in text
        assert json.loads(text) == copy
    lenient = json.dumps(washed_json(value, max_bytes=max_bytes), allow_nan=False, ensure_ascii=False)
    lenient.encode()
    assert "\\u0000" not in lenient


def test_washing_json_keeps_what_it_can() -> None:
    """A log line's values stay, next to those that are no JSON."""
    value = {"x": math.nan, "o": Raises(SystemExit()), 3: "a\x00", "ok": [1, {"y": None}]}
    assert washed_json(value, max_bytes=1000) == {
        "x": "nan",
        "o": "<Raises that can't be shown: SystemExit>",
        "3": "a\\x00",
        "ok": [1, {"y": None}],
    }
    assert washed_json({"key": "x" * 50}, max_bytes=20) == {"key": "xxxxxxxxxx..."}
    assert washed_json(["x" * 50, "y", "z"], max_bytes=20) == ["xxxxxxxxxxxxxxx...", "..."]


def objects(depth: int) -> dict[str, Any]:
    """Return objects inside of each other, so many in all."""
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def test_objects_may_lie_as_deep_as_the_limit_says_and_no_deeper() -> None:
    deepest = objects(MAX_DEPTH)
    assert json_value(deepest, "params", max_bytes=10_000, setting="X") == deepest
    with pytest.raises(NotJson, match=f"more than {MAX_DEPTH} lists and objects deep"):
        json_value(objects(MAX_DEPTH + 1), "params", max_bytes=10_000, setting="X")


def test_an_integer_may_have_as_many_bits_as_a_double_holds() -> None:
    largest = 2**1023 - 1
    assert json_value(largest, "n", max_bytes=1000, setting="X") == largest
    with pytest.raises(NotJson, match="1,024 bits"):
        json_value(2**1023, "n", max_bytes=1000, setting="X")


def test_a_value_of_just_the_allowed_size_is_taken() -> None:
    size = next(n for n in range(1, 100) if _is_taken({"a": ["b"]}, n))
    assert size > 2
    assert washed_json({"a": ["b"]}, max_bytes=size) == {"a": ["b"]}


def _is_taken(value: object, max_bytes: int) -> bool:
    try:
        return bool(json_value(value, "v", max_bytes=max_bytes, setting="X") == value)
    except NotJson:
        return False


def test_a_repr_of_just_the_allowed_length_is_shown_whole() -> None:
    assert shown("x" * 58) == repr("x" * 58)
    assert shown("x" * 59).endswith("...")
