from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagoda_inventory.formats import (
    address_faults,
    is_ip_address,
    is_mac_address,
    is_version,
    printable,
    version_faults,
)


@pytest.mark.parametrize(
    "text", ["1", "1.2.3", "2.0rc1", "1!4.0", "1.0.post1", "1.0.dev3", "v1.0", "1.0+local.1"]
)
def test_version_of_pep_440_is_one(text: str) -> None:
    assert is_version(text)


@pytest.mark.parametrize("text", ["", "unknown", "1.0-beta-x", "0.1.43ubuntu1", "1..0", "1.0 final"])
def test_other_version_is_none(text: str) -> None:
    assert not is_version(text)


@pytest.mark.parametrize("text", ["192.0.2.7", "::1", "2001:db8::7", "fe80::1"])
def test_ip_address_is_one(text: str) -> None:
    assert is_ip_address(text)


@pytest.mark.parametrize(
    "text", ["", "192.0.2", "192.0.2.256", "2001:db8::7::", "web-1", "02:42:ac:11:00:02"]
)
def test_other_text_is_no_ip_address(text: str) -> None:
    assert not is_ip_address(text)


@pytest.mark.parametrize("text", ["02:42:ac:11:00:02", "02-42-AC-11-00-02", "02:42:ac:ff:fe:11:00:02"])
def test_mac_address_is_one(text: str) -> None:
    assert is_mac_address(text)


@pytest.mark.parametrize(
    "text", ["", "02:42:ac:11:00", "02:42:ac:11:00:02:03", "02:42:ac:11:00:0g", "0242ac110002"]
)
def test_other_text_is_no_mac_address(text: str) -> None:
    assert not is_mac_address(text)


@pytest.mark.parametrize(
    ("values", "faults"),
    [
        ({"version": "1.0"}, []),
        ({"version": None}, []),
        ({"version": ""}, []),
        ({}, []),
        (
            {"version": "final"},
            ["Attribute 'version' is 'final', expected a PEP 440 version such as '1.2.3' or '2.0rc1'."],
        ),
    ],
    ids=str,
)
def test_version_fault_names_attribute_and_value(values: dict[str, Any], faults: list[str]) -> None:
    assert list(version_faults(values)) == faults


EXAMPLES = "such as '192.0.2.7', '2001:db8::7' or '02:42:ac:11:00:02'."


@pytest.mark.parametrize(
    ("values", "faults"),
    [
        ({"addresses": ["192.0.2.7", "02:42:ac:11:00:02"], "mac": "02:42:ac:11:00:02"}, []),
        ({"addresses": [], "mac": None}, []),
        ({"addresses": None}, []),
        ({}, []),
        (
            {"addresses": ["::1", "localhost", "1.2.3"]},
            [
                f"Attribute 'addresses' holds 'localhost', expected IP or MAC addresses {EXAMPLES}",
                f"Attribute 'addresses' holds '1.2.3', expected IP or MAC addresses {EXAMPLES}",
            ],
        ),
        (
            {"mac": "192.0.2.7"},
            ["Attribute 'mac' is '192.0.2.7', expected a MAC address such as '02:42:ac:11:00:02'."],
        ),
    ],
    ids=str,
)
def test_address_fault_names_attribute_and_value(values: dict[str, Any], faults: list[str]) -> None:
    assert list(address_faults(values)) == faults


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/mnt/data", "/mnt/data"),
        ("/mnt/Zoë", "/mnt/Zoë"),
        ("/mnt/a\nb", "/mnt/a\\nb"),
        ("/mnt/\udcff", "/mnt/\\udcff"),
        ("/mnt/\x00", "/mnt/\\x00"),
    ],
    ids=repr,
)
def test_what_can_not_be_stored_is_escaped(text: str, expected: str) -> None:
    assert printable(text) == expected


@given(st.text(st.characters(codec=None)))
def test_printable_text_can_always_be_encoded_and_stays_printable(text: str) -> None:
    shown = printable(text)

    assert shown.encode().decode() == shown
    assert printable(shown) == shown
