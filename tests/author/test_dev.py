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
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tools.stack import free_port

PATIENCE_SECONDS = 120.0  # others may use the machine


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
        views.write_text(repeated)
        return views.stat().st_mtime

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
    right = plugin.read_text()
    plugin.write_text("this is no Python")
    serving.wait(lambda: serving.told("the next edit tries again"))
    plugin.write_text(right)
    assert len(serving.wait(serving.counts)) == 2


def test_a_request_waits_for_what_was_edited(serving: Serving) -> None:
    """The API is started in the process that has waited for that; nothing is migrated or made again."""
    served, seen = r"is served after ([0-9.]+) s", "changed: views.py"
    serving.client.post("/api/v2/plugins/demo/counts/").raise_for_status()
    serving.wait(serving.counts)
    serving.wait(lambda: is_idle(waiting(serving.process)))
    stood_by, before = waiting(serving.process), serving.output.read_text()
    saved, used = serving.repeat_counts(3), cpu_seconds(stood_by)
    serving.wait(lambda: serving.output.read_text().count(seen) > before.count(seen))
    counts = serving.counts()  # the first answer after the edit was seen, and no connection is refused
    seconds, used = time.time() - saved, cpu_seconds(stood_by) - used
    assert len(counts) == 3
    sys.stdout.write(f"an edit was served after {seconds:.1f} s, {used:.1f} s of a CPU\n")
    count = len(re.findall(served, before))
    serving.wait(lambda: len(re.findall(served, serving.output.read_text())) > count)
    serving.wait(lambda: waiting(serving.process) - stood_by)
    commands = [
        " ".join(each.cmdline()) for each in psutil.Process(serving.process.pid).children(recursive=True)
    ]
    assert stood_by <= {each.pid for each in psutil.Process(serving.process.pid).children()}
    assert not [command for command in commands if "migrate" in command or "pagoda.cli" in command]


def waiting(process: subprocess.Popen[bytes]) -> set[int]:
    """Return the processes that stand by, and so do not listen with a server yet."""
    found = [
        each
        for each in psutil.Process(process.pid).children()
        if "pagoda_plugin_sdk.cli.standby" in each.cmdline()
    ]
    return {each.pid for each in found if not each.children()}


def is_idle(processes: set[int]) -> bool:
    """Return whether there are such processes, and they have done what they were started for."""
    used = cpu_seconds(processes)
    time.sleep(0.5)
    return used > 0 and cpu_seconds(processes) == used


def cpu_seconds(processes: set[int]) -> float:
    """Return what processes and those below them have used."""
    parents = [psutil.Process(pid) for pid in processes]
    found = {*parents, *(child for each in parents for child in each.children(recursive=True))}
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
