"""The accounts of processes: names that servers take whole, and passwords that no fault shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from pagoda.config import accounts
from pagoda.errors import SettingsError


def test_a_plugin_s_account_has_its_id() -> None:
    assert accounts.plugin_account("hello-world") == "pagoda_plugin_hello-world"


@pytest.mark.parametrize("plugin_id", ["p" * 64, "ä" * 26], ids=["long", "long in bytes"])
def test_a_name_too_long_for_postgresql_becomes_a_digest(plugin_id: str) -> None:
    name = accounts.plugin_account(plugin_id)

    assert len(name.encode()) == accounts.LONGEST_NAME
    assert name != accounts.plugin_account(plugin_id + "q")
    assert accounts.is_plugins(name)


def test_the_longest_id_that_fits_is_kept() -> None:
    plugin_id = "p" * (accounts.LONGEST_NAME - len(accounts.PLUGIN_PREFIX))
    assert accounts.plugin_account(plugin_id) == accounts.PLUGIN_PREFIX + plugin_id


def test_passwords_are_read_as_a_mounted_secret_shows_them(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "pagoda_api").write_text("a-password-of-twenty\n")
    (tmp_path / "pagoda_api").symlink_to(Path("..data") / "pagoda_api")

    found = accounts.read_passwords(tmp_path)

    assert {name: each.get_secret_value() for name, each in found.items()} == {
        "pagoda_api": "a-password-of-twenty"
    }


def test_faults_of_all_passwords_are_told_together_and_none_is_shown(tmp_path: Path) -> None:
    (tmp_path / "pagoda_api").write_text("short-secret")
    (tmp_path / "pagoda_core").write_bytes(b"\xff" * 20)

    with pytest.raises(SettingsError) as caught:
        accounts.read_passwords(tmp_path)

    assert caught.value.faults == (
        "The password of account 'pagoda_api' has 12 characters, expected 16 at least.",
        "The password of account 'pagoda_core' can't be read: UnicodeDecodeError.",
    )
    assert "short-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "account"),
    [
        (None, ""),
        ("sqlite:///x", ""),
        ("postgres://h/x", ""),
        ("postgres://pagoda_plugin_a%2Db:p@h/x", "pagoda_plugin_a-b"),
    ],
)
def test_the_account_of_a_url(url: str | None, account: str) -> None:
    assert accounts.account_of(None if url is None else SecretStr(url)) == account
