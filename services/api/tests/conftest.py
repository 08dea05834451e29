from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tools import suite_settings
from tools.kept_rows import made_once

os.environ["PAGODA_ENV_FILE"] = ""
os.environ["PAGODA_DATA_DIR"] = tempfile.mkdtemp(prefix="pagoda-api-tests-")
os.environ["PAGODA_LOG_FORMAT"] = "json"
for name in ("DATABASE_URL", "BROKER_URL", "ENABLED_PLUGINS", "SENTRY_DSN"):
    os.environ.pop(name, None)
suite_settings.use("pagoda_api.settings")

# Modules of plugins, imported by their dotted path as those of an installed plugin are.
sys.path.insert(0, str(Path(__file__).parent / "fixture_plugins"))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the test database in a file: checks of readiness ask it from threads of their own."""
    from django.conf import settings

    path = tmp_path_factory.mktemp("database") / "test.sqlite3"
    settings.DATABASES["default"]["TEST"]["NAME"] = str(path)


@pytest.fixture(autouse=True)
def no_failures_of_other_tests() -> Iterator[None]:
    from pagoda.hooks.testing import fresh_breaker
    from pagoda_api import endpoint_fence

    with fresh_breaker():
        replaced = endpoint_fence.install(None)
        yield
        endpoint_fence.install(replaced)


@pytest.fixture(scope="session", autouse=True)
def static_files_found_once() -> Iterator[None]:
    """Look for static files once: each client makes its middleware, which looks through all packages."""
    from pagoda_api.static_files import StaticFilesMiddleware

    look, found = StaticFilesMiddleware.add_files_from_finders, {}

    def add_found(middleware: Any) -> None:
        if middleware.static_prefix not in found:
            look(middleware)
            found[middleware.static_prefix] = dict(middleware.files)
        middleware.files.update(found[middleware.static_prefix])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StaticFilesMiddleware, "add_files_from_finders", add_found)
        yield


@pytest.fixture
def make_user(db: None) -> Callable[..., Any]:
    from pagoda.domain.user.models import User

    def make(username: str = "ann", *, is_superuser: bool = False) -> Any:
        return User.objects.create(username=username, is_superuser=is_superuser, is_staff=is_superuser)

    return make


@pytest.fixture
def client_of() -> Callable[..., Any]:
    """Return a client that sends a token of the user; its requests go the way of any other's."""
    from rest_framework.test import APIClient

    from pagoda.domain.user.models import ApiToken

    def client(user: Any, scheme: str = "Token") -> Any:
        _, plain = ApiToken.issue(user, "test", None)
        client = APIClient(raise_request_exception=False)
        client.credentials(HTTP_AUTHORIZATION=f"{scheme} {plain}")
        return client

    return client


@pytest.fixture
def ann(make_user: Callable[..., Any]) -> Any:
    """A user who may add entities; what everybody may do besides, she may."""
    from django.contrib.auth.models import Permission

    user = make_user("ann")
    user.user_permissions.add(Permission.objects.get(codename="add_entity"))
    return user


@pytest.fixture
def api(ann: Any, client_of: Callable[..., Any]) -> Any:
    return client_of(ann)


@pytest.fixture
def superuser_api(db: None, client_of: Callable[..., Any]) -> Any:
    from pagoda.domain.user.models import User

    return client_of(User.objects.create_superuser("root"))


@pytest.fixture
def anonymous() -> Any:
    from rest_framework.test import APIClient

    return APIClient(raise_request_exception=False)


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    """Keep the schema that is served to anybody: to make it takes a second."""
    return {}


@pytest.fixture
def schema(anonymous: Any, known: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI schema of the host."""
    if not known:
        known.update(anonymous.get("/api/v2/schema/", HTTP_ACCEPT="application/vnd.oai.openapi+json").json())
    return known


@pytest.fixture
def make_entity(db: None) -> Callable[..., Any]:
    from pagoda.domain.entity.models import Entity
    from pagoda.domain.user.models import Level

    def make(name: str, **types: str) -> Any:
        """Create an entity that is open to everybody, ``make("Host", address="string")``."""
        attrs = [{"name": attr, "type": attr_type} for attr, attr_type in types.items()]
        return Entity.objects.create_entity(user=None, name=name, default_permission=Level.FULL, attrs=attrs)

    return make


@pytest.fixture
def make_entry(db: None) -> Callable[..., Any]:
    from pagoda.domain.entry.models import Entry

    def make(entity: Any, name: str, **attrs: Any) -> Any:
        return Entry.objects.create_entry(user=None, schema=entity, name=name, attrs=attrs)

    return make


@pytest.fixture
def grant(db: None) -> Callable[..., Any]:
    """Give a user a level on an entity, an attribute or an entry through a role."""
    from pagoda.domain.user.models import Role, RolePermission

    def give(user: Any, level: int, **on: Any) -> None:
        role = Role.objects.create(name=f"role {Role.objects.count()}")
        role.users.add(user)
        RolePermission.objects.create(role=role, level=level, **on)

    return give


@pytest.fixture
def register() -> Iterator[Callable[[Any], Any]]:
    """Put plugins into the live registry for the length of a test."""
    from pagoda.plugins.registry import registry

    undo: list[Callable[[], None]] = []

    def put(plugin: Any) -> Any:
        undo.append(registry().register(plugin))
        return plugin

    yield put
    for take_out in reversed(undo):
        take_out()


@pytest.fixture
def serve(register: Callable[[Any], Any], settings: Any) -> Iterator[Callable[..., None]]:
    """Serve the URLs of plugins as the API does when it starts with them."""
    from django.urls import clear_url_caches

    from pagoda_api import urls

    def start(*plugins: Any) -> None:
        for plugin in plugins:
            register(plugin)
        module = ModuleType("urls_of_the_test")
        vars(module).update(
            {name: value for name, value in vars(urls).items() if name.startswith("handler")},
            urlpatterns=[urls.plugin_routes(), *urls.host],
        )
        sys.modules[module.__name__] = module
        settings.ROOT_URLCONF = module.__name__
        clear_url_caches()

    yield start
    sys.modules.pop("urls_of_the_test", None)
    clear_url_caches()


TABLES = (
    "entity.Entity",
    "entity.EntityAttr",
    "entry.Entry",
    "entry.Attribute",
    "entry.AttributeValue",
    "entry.AttributeReference",
    "job.Job",
)


@pytest.fixture
def count_rows(db: None) -> Callable[[], dict[str, int]]:
    from django.apps import apps

    return lambda: {label: apps.get_model(label)._default_manager.count() for label in TABLES}


@pytest.fixture
def web(make_entity: Callable[..., Any], make_entry: Callable[..., Any]) -> Any:
    """The entry `web` of the entity `Host`."""
    from pagoda.hooks.manager import manager

    if manager().records():  # plugins of the test are called when it is made
        return make_web(make_entity, make_entry)
    return made_once(make_web, make_entity, make_entry)


def make_web(make_entity: Callable[..., Any], make_entry: Callable[..., Any]) -> Any:
    host = make_entity("Host", address="string", count="number")
    return make_entry(host, "web", address="10.0.0.1")


@pytest.fixture
def nothing_is_written(web: Any, count_rows: Callable[[], dict[str, int]]) -> Iterator[None]:
    """Hold `web` and the numbers of rows against what they were before the test."""
    before = count_rows()
    yield
    assert count_rows() == before
    web.refresh_from_db()
    assert (web.name, web.note, web.get_attrs()) == ("web", "", {"address": "10.0.0.1", "count": None})
