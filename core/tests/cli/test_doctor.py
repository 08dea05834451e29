"""`pagoda plugins doctor` and `pagoda plugins lock`, on plugins that are real packages."""

from __future__ import annotations

import hashlib
import json
from typing import Any

TASKS = 'task_config = PluginTaskConfig("tasks", "generated_tasks.jobs", {"scan": (0, "scan")})'


def test_a_plugin_in_order_has_no_faults(pagoda: Any) -> None:
    pagoda.install("good")
    pagoda.copy_tables()

    printed = pagoda("plugins", "doctor", "good")

    assert "ok     load        good 1.4.0 of distribution 'dist-good' is active" in printed
    assert "ok     breaker     nothing of it has failed" in printed
    assert "ok     queue       0 jobs wait, the oldest for 0 s; 0 run" in printed
    assert "FAULT" not in printed


def test_a_skipped_plugin_is_told_with_reason_and_remedy(pagoda: Any) -> None:
    pagoda.install("bad", "import no_such_module\n")
    pagoda.copy_tables()

    printed = pagoda("plugins", "doctor", "bad", status=1)

    assert "FAULT  load        skipped, import_failed: Plugin 'bad' (distribution 'dist-bad')" in printed
    assert "Install what it needs or correct it" in printed
    assert printed.rstrip().endswith("Error: 1 fault(s) found")


def test_faults_of_others_are_not_its_own(pagoda: Any) -> None:
    pagoda.install("good")
    pagoda.install("bad", "import no_such_module\n")
    pagoda.copy_tables()

    assert "FAULT" not in pagoda("plugins", "doctor", "good")


def test_wrong_operation_ids_are_told(pagoda: Any) -> None:
    pagoda.install("tasks", None, TASKS, modules={"jobs.py": "def scan(job): ..."})

    printed = pagoda("plugins", "doctor", "tasks", status=1)

    assert "FAULT  config      Plugin 'tasks' has tasks (scan) but no range of operation ids" in printed


def test_a_database_that_is_not_migrated_is_told(pagoda: Any) -> None:
    pagoda.install("good")

    printed = pagoda("plugins", "doctor", "good", status=1)

    assert "FAULT  queue       the database can't be asked: unable to open database file" in printed


def test_an_unknown_plugin_is_told_with_the_near_misses(pagoda: Any) -> None:
    pagoda.install("good")

    assert "Did you mean 'good'?" in pagoda("plugins", "doctor", "goof", status=1)


def record(pagoda: Any, name: str) -> None:
    """Write the list of files that an installer leaves."""
    package = pagoda.folder / f"generated_{name}"
    lines = [f"{path.relative_to(pagoda.folder).as_posix()},," for path in package.glob("*.py")]
    (pagoda.folder / f"dist_{name}-1.0.dist-info" / "RECORD").write_text("\n".join(lines) + "\n")


def test_what_lock_prints_lets_the_plugin_in_and_nothing_else(pagoda: Any) -> None:
    pagoda.install("good")
    record(pagoda, "good")
    pins = json.loads(pagoda("plugins", "lock"))
    pagoda.set(PLUGIN_LOCK=pins)
    assert pins["good"]["version"] == "1.0"
    assert "good    1.4.0    active" in pagoda("plugins", "list")

    module = pagoda.folder / "generated_good" / "plugin.py"
    module.write_text(module.read_text() + "\nraise SystemExit('never run')\n")

    printed = pagoda("plugins", "list")
    assert "skipped  lock_mismatch" in printed
    assert f"is pinned to files with sha256 {pins['good']['sha256']} in PLUGIN_LOCK" in printed


def test_another_version_is_refused(pagoda: Any) -> None:
    pagoda.install("good")
    pagoda.set(PLUGIN_LOCK={"good": {"version": "2.0"}})

    assert "is pinned to version 2.0 in PLUGIN_LOCK, but 1.0 is installed" in pagoda("plugins", "list")


def test_files_that_no_record_lists_are_no_match_for_a_hash(pagoda: Any) -> None:
    pagoda.install("good")
    pagoda.set(PLUGIN_LOCK={"good": {"sha256": hashlib.sha256().hexdigest()}})

    assert "lists no file of 'generated_good'" in pagoda("plugins", "list")
