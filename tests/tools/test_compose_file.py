"""The compose file, as Docker Compose reads it: who knows what."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from pagoda.config.accounts import account_of, plugin_account
from tools.stack import free_port

DOCKER = Path(__file__).resolve().parents[2] / "docker"

ACCOUNTS = {
    "migrate": "pagoda",
    "api": "pagoda_api",
    "dispatcher": "pagoda_dispatcher",
    "worker-core": "pagoda_core",
    "worker-hello-world": plugin_account("hello-world-plugin"),
    "worker-inventory": plugin_account("inventory"),
}
AT_REDIS = ACCOUNTS | {"migrate": "", "flower": "pagoda_flower"}  # the operator's has no name


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


def test_each_service_has_an_account_of_its_own_at_redis_too(services: dict[str, dict[str, Any]]) -> None:
    for name, account in AT_REDIS.items():
        held = variables(services[name])
        password = re.fullmatch(rf"redis://{account}:(\$\{{\w+\}})@redis:6379/1", held["CACHE_URL"])
        assert password, name
        own = f"redis://{account}:{password[1]}@redis:6379/0"
        assert held["BROKER_URL"] == f"${{PAGODA_BROKER_URL:-{own}}}"
        if name not in ("migrate", "flower"):
            assert f"{account}:{password[1]}@" in held["DATABASE_URL"]
    knowing = {name for name, service in services.items() if "REDIS_PASSWORD" in json.dumps(service)}
    assert knowing == {"migrate", "redis"}


def test_the_migrations_make_exactly_these_accounts_with_the_same_passwords(
    services: dict[str, dict[str, Any]],
) -> None:
    words = variables(services["migrate"])["ACCOUNTS"].replace(":?run python3 docker/make_env.py", "").split()
    made = dict(word.split("=") for word in words)
    assert made == {
        account: variables(services[name])["CACHE_URL"].partition(f"{account}:")[2].partition("@")[0]
        for name, account in AT_REDIS.items()
        if name != "migrate"
    }
    assert services["migrate"]["depends_on"].keys() == {"database", "redis"}


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
        .replace("pagoda broker acl --apply", "env")
    )
    given = {"ACCOUNTS": "pagoda_api=p%s=1 pagoda_core=q", "REDIS_URL": "redis://r", "BROKER_URL": "amqp://b"}
    found = subprocess.run(
        [*shell, script], env=given | {"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    told = found.stdout.splitlines()
    assert told.count(f"PAGODA_ACCOUNT_PASSWORDS_DIR={tmp_path / 'a'}") == 2
    assert [line for line in told if line.startswith("BROKER_URL=")] == [
        "BROKER_URL=redis://r",
        "BROKER_URL=amqp://b",
    ], "accounts are made at Redis, also where RabbitMQ is the broker"
    assert {path.name: path.read_text() for path in (tmp_path / "a").iterdir()} == {
        "pagoda_api": "p%s=1",
        "pagoda_core": "q",
    }
    assert (tmp_path / "a" / "pagoda_api").stat().st_mode & 0o077 == 0


def test_redis_keeps_its_accounts_over_a_restart_and_its_operator_s_password_is_today_s(
    services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    *shell, script = services["redis"]["command"]
    port = free_port()
    script = script.replace("$$", "$").replace("/data", str(tmp_path)).rstrip()
    script += f" --port {port} --bind 127.0.0.1"

    def started(password: str) -> redis.Redis:
        env = {"PATH": "/usr/bin:/bin", "REDIS_PASSWORD": password}
        servers.append(subprocess.Popen([*shell, script], env=env, stdout=subprocess.DEVNULL))
        client = redis.Redis(port=port, password=password)
        client.set_retry(Retry(ConstantBackoff(0.1), 100, (redis.ConnectionError,)))
        assert client.ping()
        return client

    def stop() -> None:
        server = servers.pop()
        server.kill()
        server.wait()

    servers: list[subprocess.Popen[bytes]] = []
    try:
        operator = started("of-the & operator")
        operator.acl_setuser("pagoda_api", enabled=True, passwords=["+p"], keys=["core"], commands=["+ping"])
        operator.acl_save()
        before = operator.acl_getuser("pagoda_api")
        stop()
        operator = started("another")
        assert operator.acl_getuser("pagoda_api") == before
        assert set(operator.acl_users()) == {"default", "pagoda_api"}
        for wrong in ("of-the & operator", "p", None):
            with pytest.raises(redis.RedisError):
                redis.Redis(port=port, password=wrong).ping()
    finally:
        if servers:
            stop()


def test_a_file_of_an_earlier_release_gives_nobody_the_operator_s_password_any_more(tmp_path: Path) -> None:
    shutil.copy(DOCKER / "make_env.py", tmp_path)
    (tmp_path / ".env").write_text(
        "REDIS_PASSWORD=r\nPAGODA_BROKER_URL=redis://:r@redis:6379/0\n# PAGODA_BROKER_URL=amqp://h\nX=y=z\n"
    )

    told = [
        subprocess.run(
            [sys.executable, str(tmp_path / "make_env.py")], capture_output=True, text=True, check=True
        )
        for _ in range(2)
    ]

    assert "PAGODA_BROKER_URL taken out" in told[0].stdout
    assert "nothing changed" in told[1].stdout
    lines = (tmp_path / ".env").read_text().splitlines()
    assert lines[:3] == ["REDIS_PASSWORD=r", "# PAGODA_BROKER_URL=amqp://h", "X=y=z"]
    assert "FLOWER_BROKER_PASSWORD" in {line.partition("=")[0] for line in lines}
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    external = "REDIS_PASSWORD=r\nPAGODA_BROKER_URL=amqp://pagoda:p@rabbitmq:5672//\n"
    (tmp_path / ".env").write_text(external)
    subprocess.run([sys.executable, str(tmp_path / "make_env.py")], capture_output=True, check=True)
    assert (tmp_path / ".env").read_text().startswith(external)


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
