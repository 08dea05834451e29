from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pagoda.plugins.digest import registry_digest

Start = Callable[..., Any]

TASKS = """
from pagoda_plugin_sdk import Plugin, PluginTaskConfig
class ThePlugin(Plugin):
    id = "tasks"
    name = "x"
    version = "{version}"
    task_config = PluginTaskConfig("tasks", "generated_tasks.plugin", {{"scan": ({offset}, "scan")}})
def scan(job): ...
"""


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a busy machine
@given(st.lists(st.text(alphabet="abc ", min_size=1)), st.randoms(use_true_random=False))
def test_the_order_of_what_is_digested_does_not_count(lines: list[str], random: Any) -> None:
    shuffled = random.sample(lines, len(lines))

    assert registry_digest(shuffled) == registry_digest(lines)


def test_the_digest_is_sha256_of_the_sorted_lines() -> None:
    assert registry_digest(["b", "a"]) == hashlib.sha256(b"a\nb").hexdigest()


def test_the_order_of_enabled_plugins_does_not_count(packages: Any, start: Start) -> None:
    packages.install("one")
    packages.install("two")

    assert start("one", "two").registry.digest() == start("two", "one").registry.digest()


def test_a_skipped_plugin_is_as_an_absent_one(packages: Any, start: Start) -> None:
    packages.install("one")
    packages.install("bad", "raise RuntimeError\n")

    assert start("one", "bad").registry.digest() == start("one").registry.digest()


def test_versions_operation_ids_and_handlers_count(packages: Any, start: Start) -> None:
    packages.install("tasks", TASKS.format(version="1.0", offset=0))
    packages.install("plain")
    registry = start("tasks", plugin_operation_id_config={"tasks": [200, 299]}).registry
    host, record = registry.host, registry.get("tasks")
    seen = [registry.digest()]

    record.version = "1.1"
    seen.append(registry.digest())
    host.operation_ranges["tasks"] = [300, 399]
    seen.append(registry.digest())
    host.hooks.register_hook("entry.after_create", lambda *args, **kwargs: None, plugin_id="tasks")
    seen.append(registry.digest())
    host.hooks.register_hook(
        "entry.after_create", lambda *args, **kwargs: None, plugin_id="tasks", entity="x"
    )
    seen.append(registry.digest())

    assert len(set(seen)) == len(seen)


def test_the_digest_is_the_same_before_and_after_operation_ids_are_validated(
    packages: Any, start: Start
) -> None:
    packages.install("tasks", TASKS.format(version="1.0", offset=3))
    registry = start("tasks", plugin_operation_id_config={"tasks": [200, 299]}).registry
    before = registry.digest()

    registry.host.tasks.validate_all({"tasks": [200, 299]})

    assert registry.host.tasks.get_operation_id("tasks", "scan") == 203
    assert registry.digest() == before
