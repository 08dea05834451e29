from __future__ import annotations

from pathlib import Path

import pytest

from pagoda.config.loading import load_settings
from pagoda.config.settings import Settings
from pagoda_worker import flower


def settings(tmp_path: Path, **environ: str) -> Settings:
    return load_settings({"PAGODA_DATA_DIR": str(tmp_path), **environ})


def test_login_and_read_only_are_the_default(tmp_path: Path) -> None:
    options = flower.options(settings(tmp_path))
    user, password = flower.credentials(settings(tmp_path))
    assert (options["read_only"], options["basic_auth"]) == (True, [f"{user}:{password}"])
    assert (options["address"], options["port"]) == ("127.0.0.1", 5555)


def test_password_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    first = flower.credentials(settings(tmp_path))
    assert flower.credentials(settings(tmp_path)) == first
    assert len(first[1]) >= 40
    assert (tmp_path / flower.CREDENTIALS_FILE).stat().st_mode & 0o077 == 0


def test_configured_login_wins(tmp_path: Path) -> None:
    chosen = settings(tmp_path, FLOWER_BASIC_AUTH="eva:a:b")
    assert flower.credentials(chosen) == ("eva", "a:b")
    assert not (tmp_path / flower.CREDENTIALS_FILE).exists()


@pytest.mark.parametrize("value", ["eva", "eva:", ":secret", ":"])
def test_login_that_is_no_user_and_password_is_refused_without_showing_it(tmp_path: Path, value: str) -> None:
    with pytest.raises(flower.FlowerError) as caught:
        flower.credentials(settings(tmp_path, FLOWER_BASIC_AUTH=value))
    assert str(caught.value) == "FLOWER_BASIC_AUTH is not of the form user:password (its value is not shown)."


@pytest.mark.parametrize(
    ("bind", "address", "port"), [("0.0.0.0:80", "0.0.0.0", 80), ("[::1]:5555", "::1", 5555)]
)
def test_bind_is_taken_apart(tmp_path: Path, bind: str, address: str, port: int) -> None:
    options = flower.options(settings(tmp_path), bind=bind)
    assert (options["address"], options["port"]) == (address, port)


def test_every_option_exists_in_flower(tmp_path: Path) -> None:
    from flower.options import default_options

    unknown = [name for name in flower.options(settings(tmp_path)) if name not in default_options]
    assert unknown == []
