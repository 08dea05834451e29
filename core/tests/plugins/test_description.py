from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pagoda.plugins.description import describe, describe_all, explain_hook
from pagoda_plugin_sdk.exceptions import UnknownHook

Start = Callable[..., Any]

FULL = """
from pagoda_plugin_sdk import Plugin, PluginTaskConfig
from pagoda_plugin_sdk.decorators import entry_hook, get_attrs_hook

class ThePlugin(Plugin):
    id = "full-id"
    name = "Full"
    version = "1.2.3"
    description = "Has everything"
    author = "Somebody"
    dependencies = ["base"]
    url_patterns = "generated_full_id.pages"
    api_v2_patterns = "generated_full_id.urls"
    task_config = PluginTaskConfig(
        "full", "generated_full_id.tasks", {"scan": (1, "scan")}, cancelable_operations=["scan"]
    )

    @entry_hook("after_create", entity="customer", priority=75)
    @entry_hook("after_create", priority=150, deferred=True)
    def on_create(self, entity_name, user, entry): ...

    @get_attrs_hook("entity")
    def on_show(self, entity, attrinfo): ...
"""


@pytest.fixture
def started(packages: Any, start: Start) -> Any:
    packages.install("base")
    packages.install("full-id", FULL, entry_point="full", modules={"tasks.py": "def scan(job): ...\n"})
    packages.install("bad", "raise RuntimeError('broken')\n")
    return start("full", "bad", "base")


def test_a_description_says_all_of_an_active_plugin(started: Any) -> None:
    started.registry.host.tasks.validate_all({"full": (200, 299)}, known_plugins=["bad"])

    found = describe(started.registry, started.registry.get("full"))

    assert found == {
        "id": "full-id",
        "name": "Full",
        "version": "1.2.3",
        "description": "Has everything",
        "author": "Somebody",
        "entry_point": "full",
        "aliases": ["full"],
        "distribution": "dist-full-id",
        "dependencies": ["base"],
        "django_apps": [],
        "status": "active",
        "reason_code": None,
        "reason": None,
        "faults": [],
        "breakers": [],
        "urls": {"api_v2": "generated_full_id.urls", "plain": "generated_full_id.pages"},
        "queue": "plugin.full-id",
        "hooks": [
            handler("entry.after_create", "on_create", entity="customer", priority=75, position=1),
            handler("entry.after_create", "on_create", priority=150, deferred=True, position=3),
            handler("entity.get_attrs", "on_show", position=1),
        ],
        "tasks": [
            {
                "name": "scan",
                "operation_id": 201,
                "offset": 1,
                "function": "generated_full_id.tasks.scan",
                "queue": "plugin.full-id",
                "is_hidden": False,
                "is_cancelable": True,
                "is_parallelizable": False,
                "is_downloadable": False,
                "is_shared": False,
            }
        ],
    }


def handler(hook: str, name: str, **changed: Any) -> dict[str, Any]:
    expected = {
        "hook": hook,
        "handler": f"ThePlugin.{name}",
        "entity": None,
        "priority": 100,
        "deferred": False,
    }
    return expected | changed


def test_operation_ids_are_unknown_until_they_are_validated(started: Any) -> None:
    (task,) = describe(started.registry, started.registry.get("full"))["tasks"]

    assert task["operation_id"] is None


def test_a_description_of_a_skipped_plugin_says_why(started: Any) -> None:
    found = describe(started.registry, started.registry.get("bad"))

    assert (found["status"], found["reason_code"], found["hooks"], found["tasks"]) == (
        "skipped",
        "import_failed",
        [],
        [],
    )
    assert "RuntimeError: broken" in found["reason"]
    assert (found["version"], found["distribution"]) == ("1.0.0", "dist-bad")


def test_descriptions_are_json_in_load_order_with_skipped_plugins_last(started: Any) -> None:
    found = describe_all(started.registry)

    assert [description["id"] for description in found] == ["base", "full-id", "bad"]
    assert json.loads(json.dumps(found)) == found


def test_a_hook_is_explained_handler_by_handler(started: Any) -> None:
    found = explain_hook(started.registry, "after_create_entry_v2", "product")

    assert [(line["place"], line["plugin"]) for line in found] == [
        (None, "full-id"),
        (1, "base"),
        (2, "full-id"),
        (None, "bad"),
    ]
    assert found[0]["reason"] == "handles entity 'customer', not 'product'"
    assert found[3]["reason"] == "the plugin is skipped: import_failed"


def test_an_unknown_hook_is_refused_with_near_misses(started: Any) -> None:
    with pytest.raises(
        UnknownHook, match=r"Unknown hook 'entry\.after_creat'\. Did you mean 'entry\.after_create'"
    ):
        explain_hook(started.registry, "entry.after_creat", None)
