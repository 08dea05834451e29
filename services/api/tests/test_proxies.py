"""Behind proxies and below a path prefix: whose word counts, and what links look like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.urls import set_script_prefix, set_urlconf

from pagoda.config.settings import Settings
from pagoda.rates.models import RateCount
from pagoda_api.prefix import below_prefix
from pagoda_plugin_sdk.plugin import Plugin

pytestmark = pytest.mark.django_db

PREFIX = "/cmdb/pagoda"


@pytest.fixture
def ask(settings: Any) -> Iterator[Callable[..., tuple[int, dict[str, str], bytes]]]:
    """Ask the WSGI application as a server does."""
    settings.PAGODA = settings.PAGODA.model_copy(
        update={"pagoda_trusted_proxies": ("10.0.0.0/8", "2001:db8::/32"), "rate_limit_user": "2/h"}
    )
    settings.ALLOWED_HOSTS = ["testserver", "cmdb.example.org"]
    application = get_wsgi_application()

    def send(
        path: str, *, prefix: str = "", peer: str = "10.0.0.1", method: str = "GET", **environ: str
    ) -> tuple[int, dict[str, str], bytes]:
        told: list[Any] = []
        given = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "REMOTE_ADDR": peer,
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(),
            **environ,
        }
        answer: Any = below_prefix(application, prefix)(given, lambda *args: told.append(args))
        body = b"".join(answer)
        answer.close()
        status, headers = told[0]
        return int(status[:3]), dict(headers), body

    for signal in (request_started, request_finished):  # as Django's own client has it
        signal.disconnect(close_old_connections)
    yield send
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
    set_urlconf(None)
    set_script_prefix("/")


@pytest.fixture
def page(api: Any, make_entity: Callable[..., Any]) -> dict[str, str]:
    """A list of two pages, and the header to ask for it."""
    make_entity("A")
    make_entity("B")
    return {"QUERY_STRING": "limit=1", "HTTP_AUTHORIZATION": api._credentials["HTTP_AUTHORIZATION"]}


class Served(Plugin):
    id = name = "served"
    api_v2_patterns = "routes_good_api"


class TestForwarded:
    @pytest.mark.parametrize(
        ("peer", "headers", "begins"),
        [
            ("10.0.0.1", {"X_FORWARDED_PROTO": "https"}, "https://testserver/api/"),
            ("10.0.0.1", {"X_FORWARDED_PROTO": "HTTPS"}, "https://testserver/api/"),
            ("10.0.0.1", {"X_FORWARDED_PROTO": "gopher"}, "http://testserver/api/"),
            (
                "10.0.0.1",
                {"X_FORWARDED_PROTO": "https", "X_FORWARDED_HOST": "cmdb.example.org"},
                "https://cmdb.example.org/api/",
            ),
            ("192.0.2.9", {"X_FORWARDED_PROTO": "https"}, "http://testserver/api/"),
            ("192.0.2.9", {"X_FORWARDED_HOST": "cmdb.example.org"}, "http://testserver/api/"),
            # A client claims https to a proxy that adds what it saw.
            (
                "10.0.0.1",
                {"X_FORWARDED_FOR": "192.0.2.9", "X_FORWARDED_PROTO": "https, http"},
                "http://testserver/api/",
            ),
            # TLS ends at the outer one of two trusted proxies.
            (
                "10.0.0.1",
                {"X_FORWARDED_FOR": "192.0.2.9, 10.0.0.2", "X_FORWARDED_PROTO": "https, http"},
                "https://testserver/api/",
            ),
            ("2001:db8::5", {"X_FORWARDED_PROTO": "https"}, "https://testserver/api/"),
            ("::ffff:10.0.0.1", {"X_FORWARDED_PROTO": "https"}, "https://testserver/api/"),
        ],
    )
    def test_links_have_the_scheme_and_host_that_trusted_proxies_name(
        self, ask: Any, page: dict[str, str], peer: str, headers: dict[str, str], begins: str
    ) -> None:
        sent = page | {f"HTTP_{name}": value for name, value in headers.items()}
        status, _, body = ask("/api/v2/entities/", peer=peer, HTTP_HOST="testserver", **sent)
        assert status == 200
        assert f'"next":"{begins}' in body.decode()

    def test_a_forwarded_host_is_checked_as_any_other(self, ask: Any) -> None:
        status, _, body = ask("/api/v2/entities/", HTTP_X_FORWARDED_HOST="evil.example")
        assert status == 400
        assert b"PAGODA_ALLOWED_HOSTS" in body

    @pytest.mark.parametrize(
        ("forwarded", "counted"),
        [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("6.6.6.6, 192.0.2.1", "192.0.2.1"),
            ("6.6.6.6, 192.0.2.1, 10.9.9.9", "192.0.2.1"),
            ("rubbish, 10.9.9.9", "10.9.9.9"),
            ("10.1.1.1, 10.9.9.9", "10.1.1.1"),
            ("[2001:db9::1]:80", "2001:db9::1"),
            ("", "10.0.0.1"),
        ],
    )
    def test_the_rate_limit_counts_the_rightmost_address_that_is_no_proxys(
        self, ask: Any, forwarded: str, counted: str
    ) -> None:
        ask("/api/v2/entities/", HTTP_X_FORWARDED_FOR=forwarded)
        assert [row.key for row in RateCount.objects.all()] == [f"user:address {counted}"]

    def test_a_client_can_not_give_itself_another_address(self, ask: Any) -> None:
        statuses = [
            ask("/api/v2/entities/", peer="192.0.2.1", HTTP_X_FORWARDED_FOR=f"6.6.6.{number}")[0]
            for number in range(3)
        ]
        assert statuses == [401, 401, 429]


class TestPrefix:
    @pytest.mark.parametrize("is_passed_on", [True, False])
    def test_links_redirects_docs_and_static_files_carry_it(
        self, ask: Any, page: dict[str, str], settings: Any, is_passed_on: bool
    ) -> None:
        settings.PAGODA = settings.PAGODA.model_copy(update={"rate_limit_user": None})
        below = PREFIX if is_passed_on else ""
        _, _, body = ask(f"{below}/api/v2/entities/", prefix=PREFIX, **page)
        assert f'"next":"http://testserver{PREFIX}/api/v2/entities/?' in body.decode()

        status, headers, _ = ask(f"{below}/admin/", prefix=PREFIX)
        assert (status, headers["Location"].partition("?")[0]) == (302, f"{PREFIX}/admin/login/")
        status, headers, _ = ask(f"{below}/admin", prefix=PREFIX)
        assert (status, headers["Location"]) == (301, f"{PREFIX}/admin/")

        _, _, docs = ask(f"{below}/api/v2/docs/", prefix=PREFIX)
        assert f'"{PREFIX}/static/drf_spectacular_sidecar/' in docs.decode()
        assert f'src="{PREFIX}/api/v2/docs/?script="' in docs.decode()
        _, _, script = ask(f"{below}/api/v2/docs/", prefix=PREFIX, QUERY_STRING="script=")
        assert f"{PREFIX}/api/v2/schema/" in script.decode()
        assert ask(f"{below}/static/admin/css/base.css", prefix=PREFIX)[0] == 200
        assert f"{PREFIX}/static/unfold/" in ask(f"{below}/admin/login/", prefix=PREFIX)[2].decode()
        assert f"url: {PREFIX}" in ask(f"{below}/api/v2/schema/", prefix=PREFIX)[2].decode()

    def test_a_prefix_that_the_server_knows_counts_too(self, ask: Any, page: dict[str, str]) -> None:
        _, _, body = ask("/api/v2/entities/", SCRIPT_NAME=PREFIX, **page)
        assert f'"next":"http://testserver{PREFIX}/api/v2/entities/?' in body.decode()
        assert f'"{PREFIX}/static/' in ask("/api/v2/docs/", SCRIPT_NAME=PREFIX)[2].decode()
        assert '"/static/' in ask("/api/v2/docs/")[2].decode()

    def test_what_is_not_found_is_json(self, ask: Any) -> None:
        status, headers, body = ask(f"{PREFIX}/api/v2/nothing/", prefix=PREFIX)
        assert (status, headers["Content-Type"]) == (404, "application/json")
        assert f"{PREFIX}/api/v2/schema/" in body.decode()

    def test_requests_are_counted(self, ask: Any) -> None:
        assert [ask(f"{PREFIX}/api/v2/entities/", prefix=PREFIX)[0] for _ in range(3)] == [401, 401, 429]

    @pytest.mark.parametrize("path", ["/healthz", f"{PREFIX}/healthz"])
    def test_probes_ask_with_it_and_without(self, ask: Any, path: str) -> None:
        assert ask(path, prefix=PREFIX)[0] == 200

    def test_a_path_that_only_begins_alike_is_another(self, ask: Any) -> None:
        assert ask(f"{PREFIX}s/healthz", prefix=PREFIX)[0] == 404

    def test_plugins_are_found_and_counted(self, ask: Any, serve: Callable[..., None], settings: Any) -> None:
        serve(Served())
        paths = (f"{PREFIX}/api/v2/plugins/served/things/", "/api/v2/plugins/served/things/")
        settings.PAGODA = settings.PAGODA.model_copy(
            update={"rate_limit_user": None, "rate_limit_plugin_user": "9/h"}
        )
        answers = [ask(path, prefix=PREFIX, HTTP_ACCEPT="text/html") for path in paths]
        assert [row.count for row in RateCount.objects.all()] == [2]
        assert all(b"not_found" not in body for _, _, body in answers)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("pagoda_trusted_proxies", "10.0.0.1/8", "has host bits set"),
        ("pagoda_trusted_proxies", "proxy", "such as 10.0.0.0/8"),
        ("pagoda_path_prefix", "pagoda", "a path such as /pagoda"),
        ("pagoda_path_prefix", "/pagoda/", "without a slash at its end"),
    ],
)
def test_wrong_settings_are_refused(name: str, value: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Settings(**{name: value})  # type: ignore[arg-type]
