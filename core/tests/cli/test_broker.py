"""`pagoda broker acl`: what is printed for each kind of broker."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools.servers import RedisServer


def test_a_folder_of_files_confines_nobody(pagoda: Any) -> None:
    assert "no account confines a plugin's worker" in pagoda("broker", "acl")
    assert "Set BROKER_URL" in pagoda("broker", "acl", "--apply", status=1)


def test_rabbitmq_takes_what_is_printed(pagoda: Any) -> None:
    pagoda.install("shop")
    pagoda.set(BROKER_URL="amqp://op:secret-of-op@127.0.0.1:9/one%20host")
    printed = pagoda("broker", "acl")
    assert "rabbitmqctl set_permissions -p 'one host' pagoda_plugin_shop" in printed
    assert "secret-of-op" not in printed
    assert "rabbitmqctl" in pagoda("broker", "acl", "--apply", status=1)


def redis_says(server: RedisServer, *command: str) -> str:
    asked = ("redis-cli", "-p", str(server.port), *command)
    return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30).stdout


def test_redis_cli_takes_what_is_printed(pagoda: Any, tmp_path: Path) -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    pagoda.install("shop")
    server = RedisServer(tmp_path / "redis")
    server.start()
    try:
        pagoda.set(BROKER_URL=server.url)
        printed = pagoda("broker", "acl")
        command = ("redis-cli", "-p", str(server.port))
        done = subprocess.run(command, input=printed, capture_output=True, text=True, check=True, timeout=30)
        assert done.stdout.split() == ["OK"] * 5
        assert "Set PAGODA_ACCOUNT_PASSWORDS_DIR" in pagoda("broker", "acl", "--apply", status=1)
        folder = tmp_path / "passwords"
        folder.mkdir()
        (folder / "pagoda_plugin_shop").write_text("sixteen-letters-and-more")
        pagoda.set(PAGODA_ACCOUNT_PASSWORDS_DIR=str(folder))
        printed = pagoda("broker", "acl", "--apply")
        assert "Accounts at the broker: pagoda_plugin_shop" in printed
        assert "sixteen" not in printed
        # A plugin that is at fault at this moment keeps its account, one that is taken out does not
        (pagoda.folder / "generated_shop" / "plugin.py").write_text("raise RuntimeError('closed')")
        assert "import_failed" in pagoda("plugins", "list")
        assert "pagoda_plugin_shop" not in pagoda("broker", "acl", "--apply")
        assert "pagoda_plugin_shop" in redis_says(server, "ACL", "USERS")
        pagoda.set(ENABLED_PLUGINS="")
        assert "Account 'pagoda_plugin_shop' is gone" in pagoda("broker", "acl", "--apply")
        assert "pagoda_plugin_shop" not in redis_says(server, "ACL", "USERS")
    finally:
        server.stop()
