from __future__ import annotations

import json
from typing import Any

import pytest

TASK_CONFIG = 'task_config = PluginTaskConfig("tasks", "generated_tasks.jobs", {"scan": (9, "scan")})'
RANGES = {"tasks": [200, 205], "bad": [300, 399], "x": 1}


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_list_shows_a_row_per_plugin_and_the_reasons_below(pagoda: Any) -> None:
    pagoda.install("good")
    pagoda.install("bad", "import no_such_module\n")

    printed = pagoda("plugins", "list")

    assert lines(printed)[:3] == [
        ["PLUGIN", "VERSION", "STATUS", "REASON", "HOOKS", "TASKS", "QUEUE"],
        ["good", "1.4.0", "active", "-", "2", "0", "plugin.good"],
        ["bad", "1.0", "skipped", "import_failed", "0", "0", "-"],
    ]
    assert "bad: Plugin 'bad' (distribution 'dist-bad') fails to import" in printed


def test_list_can_be_json(pagoda: Any) -> None:
    pagoda.install("good")

    (found,) = json.loads(pagoda("plugins", "list", "--json"))

    assert (found["id"], found["status"], len(found["hooks"])) == ("good", "active", 2)


def test_list_without_plugins_says_how_to_enable_some(pagoda: Any) -> None:
    assert pagoda("plugins", "list") == "No plugins are enabled. Name them in ENABLED_PLUGINS.\n"


def test_list_says_in_one_message_why_the_host_does_not_start(pagoda: Any) -> None:
    pagoda.set(PLUGIN_HOOK_TIMEOUT_SECONDS="never")

    printed = pagoda("plugins", "list", status=1)

    assert printed.startswith(
        "Error: The settings have 1 fault(s):\n  - PLUGIN_HOOK_TIMEOUT_SECONDS is 'never'"
    )


def test_check_prints_ok_and_the_digest(pagoda: Any) -> None:
    pagoda.install("good")

    words = pagoda("plugins", "check").split()

    assert words[:-1] == ["ok:", "1", "plugin(s)", "active,", "registry", "digest"]
    assert len(words[-1]) == 64


def test_check_warns_of_a_hook_for_an_entity_that_nobody_has(pagoda: Any) -> None:
    pagoda.install("good")
    pagoda.copy_tables()

    first, *others = pagoda("plugins", "check").splitlines()

    assert first.startswith("warning: Plugin 'good' (distribution 'dist-good'): on_customer handles")
    assert "of entity 'customer', which this database does not have" in first
    assert [line.partition(":")[0] for line in others] == ["ok"]
    made = "from pagoda_plugin_sdk.models import *; Entity.objects.create_entity(user=None, name='customer')"
    pagoda("manage", "shell", "--no-imports", "-c", made.replace("*", "Entity"))
    assert pagoda("plugins", "check").startswith("ok: 1 plugin(s) active")


def test_check_tells_what_keeps_no_plugin_from_starting(pagoda: Any) -> None:
    urls = "from django.urls import path\ndef show(request): ...\nurlpatterns = [path('<int:pk>/', show)]\n"
    pagoda.install(
        "good", None, 'url_patterns = "generated_good.pages"', "permission = []", modules={"pages.py": urls}
    )

    slip, view, end = pagoda("plugins", "check").splitlines()

    assert slip.startswith("warning: Plugin 'good' (distribution 'dist-good'): Its class has `permission`")
    assert "Did you mean `permissions`?" in slip
    assert "view show has the signature (request) and can't take (request, pk)" in view
    assert end.startswith("ok: 1 plugin(s) active")


def test_check_lists_every_fault_of_plugins_urls_settings_and_operation_ids(pagoda: Any) -> None:
    pagoda.install(
        "good",
        None,
        'url_patterns = "generated_good.pages"',
        'api_v2_patterns = "generated_good.urls"',
        modules={"urls.py": "import no_such_module\n", "pages.py": "patterns = []\n"},
    )
    pagoda.install("bad", "import no_such_module\n")
    pagoda.install("tasks", None, TASK_CONFIG, modules={"jobs.py": "def scan(job): ...\n"})
    pagoda.enable("gooda")
    pagoda.set(PLUGIN_SETTINGS={"goodb": {}}, PLUGIN_OPERATION_ID_CONFIG=RANGES)

    printed = pagoda("plugins", "check", status=1)

    faults = [line.removeprefix("fault: ") for line in printed.splitlines() if line.startswith("fault: ")]
    for part in (
        "Plugin 'bad' (distribution 'dist-bad') fails to import",
        "ENABLED_PLUGINS names 'gooda', but no installed distribution provides such a plugin. Did you mean ",
        "PLUGIN_SETTINGS names plugin 'goodb', but nothing provides it.",
        "URL module 'generated_good.urls' of plugin 'good' is not served: ModuleNotFoundError",
        "URL module 'generated_good.pages' of plugin 'good' is not served: ImproperlyConfigured",
        "Task 'scan' of plugin 'tasks' has offset 9, but the range [200, 205] holds offsets 0 to 5.",
        "'x' has a range of operation ids, but no such plugin is enabled.",
        "The range of plugin 'x' is 1, expected [first id, last id]",
    ):
        assert len([fault for fault in faults if part in fault]) == 1, printed
    assert len(faults) == 8
    assert printed.endswith("Error: 8 fault(s) found\n")


def test_check_lists_the_same_in_strict_mode(pagoda: Any) -> None:
    pagoda.install("bad", "import no_such_module\n")
    tolerant = pagoda("plugins", "check", status=1)
    pagoda.set(PAGODA_PLUGIN_STRICT="1", PLUGIN_OPERATION_ID_CONFIG={"bad": [300, 399]})

    assert pagoda("plugins", "check", status=1) == tolerant


def test_check_lists_all_faults_of_the_settings(pagoda: Any) -> None:
    pagoda.set(PLUGIN_HOOK_TIMEOUT_SECONDS="never", PAGODA_LOG_LEVEL="LOUD")

    printed = pagoda("plugins", "check", status=1)

    assert printed.count("fault: ") == 2
    assert "fault: PLUGIN_HOOK_TIMEOUT_SECONDS is 'never'" in printed
    assert printed.endswith("Error: 2 fault(s) found\n")


@pytest.mark.parametrize("name", ["entry.after_create", "after_create_entry_v2"])
def test_explain_shows_who_runs_for_an_entity_and_who_does_not(name: str, pagoda: Any) -> None:
    pagoda.install("one")
    pagoda.install("bad", "import no_such_module\n")

    printed = pagoda("plugins", "explain", name, "--entity", "product")

    heading, columns, *rows = printed.splitlines()
    assert heading == "entry.after_create for entity 'product':"
    assert columns.split() == ["RUNS", "PLUGIN", "HANDLER", "WHY"]
    assert [row.split()[:3] for row in rows] == [
        ["no", "one", "ThePlugin.on_customer"],
        ["1", "one", "ThePlugin.on_any"],
        ["no", "bad", "-"],
    ]
    assert "handles entity 'customer', not 'product'" in rows[0]
    assert "priority 100, plugin 0 in load order, all entities" in rows[1]
    assert "the plugin is skipped: import_failed" in rows[2]


def test_explain_without_plugins_says_so(pagoda: Any) -> None:
    assert pagoda("plugins", "explain", "entity.get_attrs").endswith("No enabled plugin handles it.\n")


def test_explain_refuses_an_unknown_hook_with_near_misses(pagoda: Any) -> None:
    printed = pagoda("plugins", "explain", "entry.after_creat", status=2)

    assert (
        "Invalid value for HOOK: Unknown hook 'entry.after_creat'. Did you mean 'entry.after_create'"
        in printed
    )


def test_list_tells_of_processes_with_other_plugins(pagoda: Any) -> None:
    pagoda.copy_tables()
    row = "node='api@h/1', service='api', host='h', pid=1, digest='other'"
    code = f"from pagoda.watching.models import Presence; Presence.objects.create({row})"
    pagoda("manage", "shell", "--no-imports", "-c", code)

    printed = pagoda("plugins", "list")

    assert "No plugins are enabled." in printed
    assert (
        "processes that run (api) have other plugins than this command. Give it their ENABLED_PLUGINS"
        in printed
    )
