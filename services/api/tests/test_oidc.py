"""Logins through an OpenID provider, which is a process of its own, to an API that is one, too."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.migrated_host import put_tables
from tools.stack import free_port

LOGIN = "/accounts/oidc/login/"
MAPPING = {
    "PAGODA_OIDC_GROUPS": json.dumps({"idp-ops": ["ops"], "idp-dev": ["dev", "no such group"]}),
    "PAGODA_OIDC_ROLES": json.dumps({"idp-ops": ["makers"]}),
    "PAGODA_OIDC_SUPERUSERS": "idp-admins",
}
MADE = """
from django.contrib.auth.models import Group
from pagoda.domain.user.models import Role, User
for name in ("ops", "dev", "others"): Group.objects.create(name=name)
Role.objects.create(name="makers")
User.objects.create_user("local", password="correct horse battery")
"""
OF_USER = "from pagoda.domain.user.models import User as u; print(u.objects.filter(username={!r})"


@contextmanager
def running(command: list[str], environ: Mapping[str, str], log: Path, ready: str) -> Iterator[None]:
    with (
        log.open("wb") as stream,
        subprocess.Popen(command, env=environ, stdout=stream, stderr=stream) as process,
    ):
        try:
            for _ in range(600):
                try:
                    if httpx.get(ready).status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.1)
            else:
                raise AssertionError(log.read_text())
            yield
        finally:
            process.send_signal(signal.SIGTERM)


class World:
    """The provider, the API, and people's browsers."""

    def __init__(self, api: str, provider: str, environ: Mapping[str, str]) -> None:
        self.api, self.provider, self.environ = api, provider, environ

    def person(self, sub: str, **claims: Any) -> None:
        """Make the provider know somebody."""
        httpx.put(f"{self.provider}/users/{sub}", json=claims).raise_for_status()

    def browse(self, sub: str, browser: httpx.Client, to: str = LOGIN, **deny: str) -> httpx.Response:
        """Log in as a browser does: by the API's page, the provider's form, and the way back."""
        page = browser.get(f"{self.api}{to}")
        token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[0]
        form = browser.post(str(page.url), data={"csrfmiddlewaretoken": token})
        assert str(form.url).startswith(f"{self.provider}/oauth2/authorize?")
        return browser.post(str(form.url), data=deny or {"sub": sub})

    def shell(self, code: str) -> str:
        """Run code in the host."""
        command = [sys.executable, "-m", "pagoda.cli", "manage", "shell", "-v", "0", "-c", code]
        return subprocess.run(command, env=self.environ, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder, api_port, port = tmp_path_factory.mktemp("oidc"), free_port(), free_port()
    provider, api = f"http://localhost:{port}", f"http://127.0.0.1:{api_port}"
    environ = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(folder),
        "PAGODA_ENV_FILE": "",
        "PAGODA_DATA_DIR": str(folder / "data"),
        "API_WORKERS": "1",
        "API_BIND": f"127.0.0.1:{api_port}",
        "PAGODA_OIDC_ISSUER": provider,
        "PAGODA_OIDC_CLIENT_ID": "pagoda",
        "PAGODA_OIDC_CLIENT_SECRET": "a secret of the client",
        "PAGODA_LOG_LEVEL": "INFO",
        **MAPPING,
    }
    made = World(api, provider, environ)
    put_tables(folder / "data")
    migrate = [sys.executable, "-m", "pagoda.cli", "migrate"]  # those of allauth, too
    subprocess.run(migrate, env=environ, check=True, capture_output=True)
    made.shell(MADE)
    serve_provider = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    insecure = {"PATH": os.environ["PATH"], "AUTHLIB_INSECURE_TRANSPORT": "1"}
    with (
        running(serve_provider, insecure, folder / "provider", f"{provider}/jwks"),
        running([sys.executable, "-m", "pagoda_api.cli", "serve"], environ, folder / "log", f"{api}/readyz"),
    ):
        yield made
    log = (folder / "log").read_text()
    assert "Traceback" not in log
    assert "a secret of the client" not in log


def test_a_provider_that_is_away_is_told(tmp_path: Path) -> None:
    ask = (
        "import django; django.setup()\n"
        "from django.core.management import call_command\n"
        "from django.test import Client\n"
        "call_command('migrate', verbosity=0)\n"
        "answer = Client(headers={'host': 'localhost'}).post('/accounts/oidc/login/')\n"
        "assert (answer.status_code, b'oidc_unavailable' in answer.content) == (503, True), answer.content\n"
    )
    environ = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "pagoda_api.settings",
        "PAGODA_ENV_FILE": "",
        "PAGODA_DATA_DIR": str(tmp_path),
        "PAGODA_OIDC_ISSUER": "http://127.0.0.1:1",
        "PAGODA_OIDC_CLIENT_ID": "pagoda",
        "PAGODA_OIDC_CLIENT_SECRET": "s",
    }
    asked = subprocess.run(
        [sys.executable, "-c", ask], env=environ, capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0, asked.stderr


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(follow_redirects=True, timeout=60) as client:
        yield client


Me = Callable[[], dict[str, Any]]


@pytest.fixture
def me(world: World, browser: httpx.Client) -> Me:
    def ask() -> dict[str, Any]:
        told: dict[str, Any] = browser.get(f"{world.api}/api/v2/me/").json()
        return told

    return ask


def names(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(row["name"] for row in rows)


def test_a_first_login_makes_a_user_with_the_rights_of_their_claim(
    world: World, browser: httpx.Client, me: Me
) -> None:
    world.person("s-1", preferred_username="ann", email="ann@example.org", groups=["idp-ops", "idp-dev", "x"])
    assert world.browse("s-1", browser).status_code == 200
    told = me()
    assert (told["username"], told["is_superuser"]) == ("ann", False)
    assert (names(told["groups"]), names(told["roles"])) == (["dev", "ops"], ["makers"])
    told_of = world.shell(
        "from pagoda.audit.models import AuditEvent as e\n"
        "print(sorted(set(e.objects.filter(actor='ann').values_list('action', flat=True))))"
    )
    assert "'login.succeeded'" in told_of
    assert world.shell(f"{OF_USER.format('ann')}.get().has_usable_password())").strip() == "False"


def test_each_login_follows_the_claim_and_leaves_what_no_mapping_names(
    world: World, browser: httpx.Client, me: Me
) -> None:
    world.person("s-2", preferred_username="bob", groups=["idp-ops", "idp-admins"])
    world.browse("s-2", browser)
    assert (me()["is_superuser"], names(me()["groups"])) == (True, ["ops"])
    world.shell(
        "from django.contrib.auth.models import Group as g\n"
        f"{OF_USER.format('bob')}.get().groups.add(g.objects.get(name='others')))"
    )
    world.person("s-2", preferred_username="robert", groups="idp-dev")
    world.browse("s-2", browser)
    told = me()
    assert (told["username"], told["is_superuser"]) == ("bob", False)  # known by `sub`, not by the name
    assert (names(told["groups"]), told["roles"]) == (["dev", "others"], [])


@pytest.mark.parametrize("name", ["local", "LOCAL", "", "with space", "x" * 151, 7, None])
def test_a_name_that_is_taken_or_is_none_comes_not_in(
    world: World, browser: httpx.Client, me: Me, name: object
) -> None:
    world.person("s-3", preferred_username=name, email="local@example.org", groups=["idp-admins"])
    refused = world.browse("s-3", browser)
    assert refused.status_code == 403
    assert "oidc_login_refused" in refused.text
    assert ("There is a user" in refused.text) == (str(name).lower() == "local")
    assert me()["code"] == "not_authenticated"


def test_who_is_logged_in_may_connect_and_comes_in_so_from_then_on(
    world: World, browser: httpx.Client, me: Me
) -> None:
    world.person("s-4", preferred_username="local")
    body = {"username": "local", "password": "correct horse battery"}
    browser.post(f"{world.api}/api/v2/auth/login/", json=body).raise_for_status()
    world.browse("s-4", browser, f"{LOGIN}?process=connect")
    with httpx.Client(follow_redirects=True, timeout=60) as another:
        world.browse("s-4", another)
        assert another.get(f"{world.api}/api/v2/me/").json()["username"] == "local"
    assert me()["username"] == "local"


def test_who_is_switched_off_comes_not_in(world: World, browser: httpx.Client, me: Me) -> None:
    world.person("s-5", preferred_username="eve")
    world.browse("s-5", browser)
    assert me()["username"] == "eve"
    world.shell(f"{OF_USER.format('eve')}.update(is_active=False))")
    refused = world.browse("s-5", browser)
    assert (refused.status_code, "switched off" in refused.text) == (403, True)
    assert me()["code"] == "not_authenticated"


def test_what_the_provider_denies_is_told(world: World, browser: httpx.Client, me: Me) -> None:
    denied = world.browse("s-6", browser, action="deny")
    assert me()["code"] == "not_authenticated"
    assert (denied.status_code, "oidc_login_refused" in denied.text) == (403, True)


@pytest.mark.parametrize("query", ["", "?code=guessed&state=guessed", "?error=server_error"])
def test_a_way_back_that_nobody_went_is_refused(
    world: World, browser: httpx.Client, me: Me, query: str
) -> None:
    answer = browser.get(f"{world.api}{LOGIN}callback/{query}")
    assert (answer.status_code, "oidc_login_refused" in answer.text) == (403, True)
    assert me()["code"] == "not_authenticated"


def test_the_admin_s_login_leads_there_and_comes_back(world: World, browser: httpx.Client) -> None:
    world.person("s-7", preferred_username="root", groups=["idp-admins"])
    page = browser.get(f"{world.api}/admin/").text
    (link,) = re.findall(r'href="(/accounts/oidc/login/[^"]*)"', page)
    home = world.browse("s-7", browser, link)
    assert str(home.url) == f"{world.api}/admin/"
    assert "Site administration" in home.text
    assert "/admin/socialaccount/socialapp/" not in home.text  # its secrets are in the settings
    assert "/admin/socialaccount/socialaccount/" in home.text
    assert "s-7" in browser.get(f"{world.api}/admin/socialaccount/socialaccount/").text
    assert browser.get(f"{world.api}/admin/socialaccount/socialaccount/add/").status_code == 403
    assert browser.get(f"{world.api}/admin/socialaccount/socialapp/").status_code == 404


def test_nobody_signs_up_or_resets_a_password_there(world: World, browser: httpx.Client) -> None:
    for path in ("signup", "password/reset", "password/change", "email"):
        assert browser.get(f"{world.api}/accounts/{path}/").status_code == 404
    form = browser.get(f"{world.api}/accounts/3rdparty/signup/")
    assert str(form.url).startswith(f"{world.api}/console/login/")


def test_forms_of_these_pages_may_lead_to_the_provider(world: World, browser: httpx.Client) -> None:
    page = browser.get(f"{world.api}{LOGIN}")
    assert "form-action" not in page.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "private, no-store"
    assert re.findall(r"<script(?! src=)", page.text) == []
    assert "form-action" in browser.get(f"{world.api}/admin/login/").headers["Content-Security-Policy"]


def test_it_is_off_by_default(anonymous: Any) -> None:
    assert anonymous.get(LOGIN).status_code == 404
    assert "single sign-on" not in anonymous.get("/admin/login/").content.decode()
