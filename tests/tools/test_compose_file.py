"""The compose file, as Docker Compose reads it: who knows what."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pagoda.config.accounts import account_of, plugin_account

DOCKER = Path(__file__).resolve().parents[2] / "docker"

ACCOUNTS = {
    "migrate": "pagoda",
    "api": "pagoda_api",
    "dispatcher": "pagoda_dispatcher",
    "worker-core": "pagoda_core",
    "worker-hello-world": plugin_account("hello-world-plugin"),
    "worker-inventory": plugin_account("inventory"),
}


def variables(service: dict[str, Any]) -> dict[str, str]:
    """Return what the file sets; values of other variables are left as they are."""
    return {name: str(value) for name, value in service["environment"].items()}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    return found


def test_each_service_logs_in_with_an_account_of_its_own(services: dict[str, dict[str, Any]]) -> None:
    held = {
        name: account_of(variables(services[name])["DATABASE_URL"].partition(":${")[0] + "@h/x")
        for name in ACCOUNTS
    }
    assert held == ACCOUNTS


def test_the_migrations_make_exactly_these_accounts_with_the_same_passwords(
    services: dict[str, dict[str, Any]],
) -> None:
    words = variables(services["migrate"])["ACCOUNTS"].replace(":?run python3 docker/make_env.py", "").split()
    made = dict(word.split("=") for word in words)
    assert made == {
        account: variables(services[name])["DATABASE_URL"].partition(f"{account}:")[2].partition("@")[0]
        for name, account in ACCOUNTS.items()
        if name != "migrate"
    }


@pytest.mark.parametrize("name", ["worker-hello-world", "worker-inventory"])
def test_the_worker_of_a_plugin_knows_nothing_of_the_host_s(
    name: str, services: dict[str, dict[str, Any]]
) -> None:
    assert set(variables(services[name])) == {
        "BROKER_URL",
        "CACHE_URL",
        "DATABASE_URL",
        "ENABLED_PLUGINS",
        "METRICS_BIND",
        "PAGODA_ENV",
        "PLUGIN_OPERATION_ID_CONFIG",
        "PLUGIN_PERMISSIONS",
        "SENTRY_DSN",
    }


def test_the_command_that_writes_the_passwords_does_so(
    services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    *shell, script = services["migrate"]["command"]
    script = (
        script.replace("$$", "$")
        .replace("/tmp/accounts", str(tmp_path / "a"))
        .replace("pagoda migrate", "env")
    )
    found = subprocess.run(
        [*shell, script], env={"ACCOUNTS": "pagoda_api=p%s=1 pagoda_core=q", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"PAGODA_ACCOUNT_PASSWORDS_DIR={tmp_path / 'a'}" in found.stdout
    assert {path.name: path.read_text() for path in (tmp_path / "a").iterdir()} == {
        "pagoda_api": "p%s=1",
        "pagoda_core": "q",
    }
    assert (tmp_path / "a" / "pagoda_api").stat().st_mode & 0o077 == 0


def test_secrets_of_an_earlier_release_are_kept_and_completed(tmp_path: Path) -> None:
    shutil.copy(DOCKER / "make_env.py", tmp_path)
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD=old\n")

    for expected in ("variables added", "nothing changed"):
        done = subprocess.run(
            [sys.executable, str(tmp_path / "make_env.py")], capture_output=True, text=True, check=True
        )
        assert expected in done.stdout
    lines = (tmp_path / ".env").read_text().splitlines()
    assert lines[0] == "POSTGRES_PASSWORD=old"
    names = [line.partition("=")[0] for line in lines]
    assert len(names) == len(set(names))
    assert "INVENTORY_DATABASE_PASSWORD" in names
