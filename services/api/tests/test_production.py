"""What PAGODA_ENV=production turns on: clean checks, cookies for https, headers that browsers keep to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from pagoda.config.django import build
from pagoda.config.loading import load_settings

SETTINGS: Mapping[str, str] = {
    "PAGODA_ENV": "production",
    "PAGODA_SECRET_KEY": "Zx7p9QwLr2mKd8sYtB4nVh6cJf3gTa5uEo1iRz0XyWbNqMkPlHsDjG",
    "PAGODA_ALLOWED_HOSTS": "cmdb.example.org",
    "BROKER_URL": "redis://127.0.0.1:1/0",
}
ASKED = ("PAGODA_", "PLUGIN_", "ENABLED_")


def run(folder: Path, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own with production settings and these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ASKED)}
    kept.pop("DJANGO_SETTINGS_MODULE", None)
    own = {
        "PAGODA_ENV_FILE": "",
        "PAGODA_DATA_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/pagoda.sqlite3",
    }
    environ = {**kept, **own, **SETTINGS, **settings}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("module", ["pagoda.settings", "pagoda_api.settings"])
def test_check_deploy_is_clean(tmp_path: Path, module: str) -> None:
    checked = run(tmp_path, *["django", "check", "--deploy", "--fail-level", "DEBUG", "--settings"], module)
    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout


def test_the_api_ends_with_2_and_all_faults(tmp_path: Path) -> None:
    unsafe = {"PAGODA_DEBUG": "1", "PAGODA_ALLOWED_HOSTS": "*", "PAGODA_SECRET_KEY": "short"}
    ended = run(tmp_path, "pagoda_api.cli", "serve", **unsafe)
    assert ended.returncode == 2
    assert "The settings have 3 fault(s):" in ended.stderr
    assert all(name in ended.stderr for name in unsafe)


@pytest.fixture
def production(settings: Any, db: None, tmp_path: Path) -> None:
    """Set Django up as in production, apart from servers and plugins."""
    servers = {"DATABASE_URL": "postgres://h/x", "PAGODA_DATA_DIR": str(tmp_path)}
    made = build(load_settings({**SETTINGS, **servers}))
    for name in (name for name in made if re.match("SESSION_|CSRF_|SECURE_", name)):
        setattr(settings, name, made[name])


@pytest.mark.usefixtures("production")
class TestHeaders:
    @pytest.mark.parametrize(
        ("path", "default", "scripts"),
        [
            ("/admin/login/", "'self'", "'self' 'unsafe-eval'"),
            ("/api/v2/", "'self'", ""),
            ("/api/v2/docs/", "'self'", ""),
            ("/healthz", "'self'", ""),
            ("/nowhere", "'none'", "'self'"),  # a page of the console's
            ("/static/admin/css/base.css", "'self'", ""),
        ],
    )
    def test_they_are_on_every_answer_by_https(self, path: str, default: str, scripts: str) -> None:
        with closing(Client().get(path, secure=True)) as answer:
            headers = answer.headers
        assert headers["Strict-Transport-Security"] == "max-age=31536000"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        policy = headers["Content-Security-Policy"].split("; ")
        assert policy[0] == f"default-src {default}"
        assert [each for each in policy if "script" in each] == [f"script-src {scripts}"] * bool(scripts)

    def test_http_promises_no_https(self) -> None:
        assert "Strict-Transport-Security" not in Client().get("/admin/login/").headers

    def test_cookies_are_for_https_and_the_session_s_not_for_scripts(self, make_user: Any) -> None:
        user = make_user("root", is_superuser=True)
        user.set_password("right")
        user.save()
        browser = Client()
        body = {"username": "root", "password": "right"}
        assert browser.post("/api/v2/auth/login/", body, "application/json", secure=True).status_code == 200
        session, csrf = browser.cookies["sessionid"], browser.cookies["csrftoken"]
        assert (session["secure"], session["httponly"], session["samesite"]) == (True, True, "Lax")
        assert (csrf["secure"], csrf["samesite"]) == (True, "Lax")

    def test_a_view_may_set_a_policy_of_its_own(self) -> None:
        from pagoda_api.middleware import ContentSecurityPolicyMiddleware

        def view(_request: Any) -> HttpResponse:
            return HttpResponse(headers={"Content-Security-Policy": "default-src 'none'"})

        answer = ContentSecurityPolicyMiddleware(view)(RequestFactory().get("/plugins/shop/"))
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'"


class Inline(HTMLParser):
    """Finds what the policy forbids: scripts and handlers in the page itself, files of other hosts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.scripts = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script":
            self.scripts += 1
            if "src" not in given and given.get("type") != "application/json":
                self.found.append("script")
        self.found += [f"{tag} {name}" for name in given if name.startswith("on")]
        self.found += [
            f"{tag} {url}"
            for name in ("src", "href", "action")
            if "//" in (url := given.get(name) or "") and tag != "a"
        ]


@pytest.mark.parametrize(
    "path",
    [
        "/admin/",
        "/admin/login/",
        "/admin/password_change/",
        "/admin/user/user/",
        "/admin/user/user/add/",
        "/admin/user/role/add/",
        "/admin/entity/entity/add/",
        "/admin/entry/entry/add/",
        "/admin/entry/entry/",
        "/api/v2/docs/",
        "/nowhere",
    ],
)
def test_pages_hold_nothing_that_the_policy_forbids(make_user: Any, path: str) -> None:
    browser = Client()
    if path != "/admin/login/":
        browser.force_login(make_user("root", is_superuser=True))
    page = Inline(browser.get(path).content.decode())
    assert page.found == []
    assert page.scripts or path == "/nowhere"


def test_the_docs_script_is_a_file_of_its_own(anonymous: Any) -> None:
    page = anonymous.get("/api/v2/docs/").content.decode()
    (url,) = re.findall(r'src="(/api/v2/docs/[^"]+)"', page)
    script = anonymous.get(url)
    assert script.headers["Content-Type"].startswith("application/javascript")
    assert "SwaggerUIBundle" in script.content.decode()
