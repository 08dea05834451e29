"""`pagoda-plugin dev` serves the plugin, follows edits, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tools.stack import free_port

PATIENCE_SECONDS = 120.0  # others may use the machine
SAVED = 1_800_000_000.0  # of the edits; any one time


class Serving:
    """A development host, as its author meets it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.output = folder, folder.parent / "dev.log"
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        with self.output.open("wb") as log:
            self.process = subprocess.Popen(
                (sys.executable, "-m", "pagoda_plugin_sdk.cli", "dev"),
                cwd=folder,
                env={**os.environ, "API_BIND": f"127.0.0.1:{port}", "TMPDIR": str(folder.parent)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait(self, look: Callable[[], Any]) -> Any:
        """Return what `look` gives once it gives something; what it raises counts as nothing."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
                if found := look():
                    return found
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.1)

    def told(self, pattern: str) -> re.Match[str] | None:
        return re.search(pattern, self.output.read_text())

    def repeat_counts(self, times: int) -> float:
        """Edit the endpoint to repeat its answer; return when that was saved."""
        views = self.folder / "src" / "pagoda_demo_plugin" / "views.py"
        repeated = re.sub(r"(many=True\)\.data)( \* \d)?", rf"\1 * {times}", views.read_text())
        saved = self.folder.parent / views.name
        saved.write_text(repeated)
        os.utime(saved, (SAVED, SAVED))  # what was compiled of the edit before is of this time and size, too
        saved.replace(views)
        return time.time()

    def standby(self) -> psutil.Process:
        """Return the process that stands by."""
        children = psutil.Process(self.process.pid).children()
        (found,) = (each for each in children if "pagoda_plugin_sdk.cli.standby" in each.cmdline())
        return found

    def api(self) -> psutil.Process:
        (found,) = self.standby().children()
        return found

    def counts(self) -> Any:
        return self.client.get("/api/v2/plugins/demo/counts/").raise_for_status().json()


@pytest.fixture(scope="module")
def serving(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("dev") / "demo"
    shutil.copytree(demo, folder)
    started = Serving(folder, free_port())
    try:
        password = started.wait(lambda: started.told(r"login admin / (\S+)"))[1]
        answer = started.client.post(
            "/api/v2/auth/token/", json={"username": "admin", "password": password}
        ).raise_for_status()
        started.client.headers["Authorization"] = f"Token {answer.json()['token']}"
        yield started
    finally:
        started.process.kill()
        started.process.wait()
        started.client.close()


def test_it_has_the_demo_data(serving: Serving) -> None:
    assert serving.client.get("/api/v2/entries/?entity=Rack").json()["count"] == 3


def test_its_worker_runs_jobs(serving: Serving) -> None:
    job = serving.client.post("/api/v2/plugins/demo/counts/").raise_for_status().json()["job"]
    ended = serving.wait(
        lambda: (found := serving.client.get(f"/api/v2/jobs/{job}/").json())["finished_at"] and found
    )
    assert (ended["status_name"], ended["result"]) == ("DONE", {"Rack": 3})
    assert [count["entries"] for count in serving.counts()] == [3]


def test_an_edit_is_served_and_a_broken_one_is_survived(serving: Serving) -> None:
    serving.repeat_counts(2)
    assert len(serving.wait(lambda: len(found := serving.counts()) == 2 and found)) == 2
    plugin = serving.folder / "src" / "pagoda_demo_plugin" / "plugin.py"
    right, stood_by = plugin.read_text(), serving.standby()
    plugin.write_text(f"{right}this is no Python")
    serving.wait(lambda: serving.told("the next edit tries again"))
    with pytest.raises(httpx.ConnectError):
        serving.counts()
    plugin.write_text(right)
    assert len(serving.wait(serving.counts)) == 2
    assert serving.standby() == stood_by, "the host was loaded once"


def test_a_request_waits_for_what_was_edited(serving: Serving) -> None:
    """Each API is a fork of the process that has waited for that; nothing is migrated or made again."""
    seen = "changed: views.py"
    edits = serving.output.read_text().count(seen)
    serving.client.post("/api/v2/plugins/demo/counts/").raise_for_status()
    serving.wait(serving.counts)
    stood_by, before = serving.standby(), serving.api()
    serving.wait(lambda: is_idle(stood_by))
    for times in (3, 4):  # the second edit follows as soon as the first is served
        saved = serving.repeat_counts(times)
        serving.wait(partial(serving.told, f"(?s)(?:{seen}.*){{{edits + 1}}}"))
        edits += 1
        counts = serving.counts()  # the first answer after the edit was seen, and no connection is refused
        assert len(counts) == times
        seconds, used = time.time() - saved, cpu_seconds(serving.api())
        sys.stdout.write(f"an edit was served after {seconds:.1f} s, {used:.1f} s of a CPU\n")
    assert serving.standby() == stood_by
    assert serving.api() != before
    commands = [
        " ".join(each.cmdline()) for each in psutil.Process(serving.process.pid).children(recursive=True)
    ]
    assert not [command for command in commands if "migrate" in command or "pagoda.cli" in command]


def is_idle(process: psutil.Process) -> bool:
    """Return whether a process has done what it was started for."""
    used = cpu_seconds(process)
    time.sleep(0.5)
    return used > 0 and cpu_seconds(process) == used


def cpu_seconds(process: psutil.Process) -> float:
    """Return what a process and those below it have used."""
    found = (process, *process.children(recursive=True))
    return sum(sum(each.cpu_times()[:2]) for each in found)


def test_a_setting_of_the_env_file_is_followed(serving: Serving) -> None:
    entity = serving.client.get("/api/v2/entities/?search=Rack").json()["results"][0]["id"]
    (serving.folder / ".env").write_text("""PLUGIN_SETTINGS={"demo": {"max_name_length": 5}}\n""")
    names = (f"long-name-{number}" for number in itertools.count())

    def is_refused() -> bool:
        body = {"schema": entity, "name": next(names)}
        return "expected at most 5" in serving.client.post("/api/v2/entries/", json=body).text

    assert serving.wait(is_refused)


def test_ctrl_c_ends_all_of_it(serving: Serving) -> None:
    serving.process.send_signal(signal.SIGINT)
    assert serving.process.wait(PATIENCE_SECONDS) == 0
    data = str(serving.folder / ".pagoda")
    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("PAGODA_DATA_DIR") == data:
                left.append(process.cmdline())
    assert left == []
    assert list(serving.folder.parent.glob("pagoda-*")) == [], "what it has counted is removed"
