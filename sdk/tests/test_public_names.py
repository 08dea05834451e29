"""What `import pagoda_plugin_sdk` offers, in processes of their own: no settings, and settings."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from importlib.resources import files

import pytest

import pagoda_plugin_sdk

ROOT_NAMES = [
    "HookRejected",
    "Job",
    "JobOperation",
    "JobStatus",
    "JobTarget",
    "OverrideContext",
    "OverrideMeta",
    "PagodaError",
    "PermissionLevel",
    "Plugin",
    "PluginAPIView",
    "PluginAPIViewMixin",
    "PluginError",
    "PluginLoadError",
    "PluginPagination",
    "PluginPermission",
    "PluginSecurityError",
    "PluginSerializerMixin",
    "PluginTaskConfig",
    "PluginTaskRegistry",
    "PluginValidationError",
    "PluginViewSet",
    "accepted_response",
    "celery_app",
    "created_response",
    "error_response",
    "get_pagoda_version",
    "no_content_response",
    "not_found_response",
    "override_operation",
    "permission_denied_response",
    "plugin_task",
    "register_plugin_job_task",
    "success_response",
    "validation_error_response",
]
NEED_SETTINGS = [
    "PluginAPIView",
    "PluginAPIViewMixin",
    "PluginPagination",
    "PluginPermission",
    "PluginSerializerMixin",
    "PluginViewSet",
]
MODULES_WITHOUT_SETTINGS = [
    "decorators",
    "exceptions",
    "hooks",
    "models",
    "operation_ranges",
    "operations",
    "override",
    "plugin",
    "protocols",
    "querysets",
    "task_config",
    "task_registry",
    "tasks",
    "testing",
    "utils",
]
MODULES_WITH_SETTINGS = [
    "api",
    "api.base",
    "api.pagination",
    "api.permissions",
    "api.serializers",
    "mixins",
]


def run_python(code: str) -> str:
    """Run `code` in a process of its own, warnings being errors, and return what it prints."""
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def test_root_offers_exactly_the_documented_names() -> None:
    assert sorted(pagoda_plugin_sdk.__all__) == sorted(ROOT_NAMES)


@pytest.mark.parametrize("name", [name for name in ROOT_NAMES if name not in NEED_SETTINGS])
def test_root_name_is_there_without_settings(name: str) -> None:
    assert getattr(pagoda_plugin_sdk, name) is not None


def test_importing_root_configures_nothing_and_loads_no_rest_framework() -> None:
    printed = run_python("""
        import sys
        import pagoda_plugin_sdk
        from django.conf import settings
        print(settings.configured, "rest_framework" in sys.modules, "pydantic" in sys.modules)
    """)

    assert printed == "False False False"


@pytest.fixture(scope="module")
def imported_without_settings() -> dict[str, bool]:
    """Return ``{module: whether settings were configured once it was imported}``."""
    printed = run_python(f"""
        import json
        from importlib import import_module
        from django.conf import settings
        found = {{}}
        for module in {MODULES_WITHOUT_SETTINGS!r}:
            import_module("pagoda_plugin_sdk." + module)
            found[module] = settings.configured
        print(json.dumps(found))
    """)
    return dict(json.loads(printed))


@pytest.mark.parametrize("module", MODULES_WITHOUT_SETTINGS)
def test_module_imports_without_settings(module: str, imported_without_settings: dict[str, bool]) -> None:
    assert imported_without_settings[module] is False


@pytest.fixture(scope="module")
def imported_with_settings() -> dict[str, str]:
    """Return ``{name or module: its own name}`` of what needs settings, in a process that has some."""
    printed = run_python(f"""
        import json
        from importlib import import_module
        from django.conf import settings
        settings.configure()
        import pagoda_plugin_sdk
        found = {{name: getattr(pagoda_plugin_sdk, name).__name__ for name in {NEED_SETTINGS!r}}}
        for module in {MODULES_WITH_SETTINGS!r}:
            found[module] = import_module("pagoda_plugin_sdk." + module).__name__
        print(json.dumps(found))
    """)
    return dict(json.loads(printed))


@pytest.mark.parametrize("name", NEED_SETTINGS)
def test_name_that_needs_settings_is_there_once_they_are_configured(
    name: str, imported_with_settings: dict[str, str]
) -> None:
    assert imported_with_settings[name] == name


@pytest.mark.parametrize("module", MODULES_WITH_SETTINGS)
def test_module_of_api_classes_imports_with_settings(
    module: str, imported_with_settings: dict[str, str]
) -> None:
    assert imported_with_settings[module] == f"pagoda_plugin_sdk.{module}"


def test_name_that_needs_settings_says_so_without_them() -> None:
    printed = run_python("""
        from django.core.exceptions import ImproperlyConfigured
        import pagoda_plugin_sdk
        try:
            pagoda_plugin_sdk.PluginViewSet
        except ImproperlyConfigured as error:
            print("settings are not configured" in str(error))
    """)

    assert printed == "True"


def test_unknown_root_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'pagoda_plugin_sdk' has no attribute 'PluginVeiw'"):
        pagoda_plugin_sdk.PluginVeiw  # noqa: B018  # that is the point


def test_package_is_marked_as_typed() -> None:
    assert (files("pagoda_plugin_sdk") / "py.typed").is_file()
