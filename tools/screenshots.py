"""`make screenshots`: start a Pagoda, fill it with a small data centre, and take the README's pictures of it.

They show what is made here and no more: a scan would show names and folders of the machine.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, ViewportSize

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools.console_stage import CHROMIUM, Stage, stage

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
SIZE: ViewportSize = {"width": 1200, "height": 760}
JOB_SECONDS = 90
SERVERS = 24


def main() -> int:
    """Take the pictures; return the exit status."""
    if CHROMIUM is None:
        print("screenshots: there is no `chromium`; install Debian's package")
        return 1
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pagoda-screenshots-") as folder, stage(Path(folder)) as running:
        job = _greeted(running)
        servers, first = _furnished(running)
        pages = {
            "home": "/console/",
            "entries": f"/console/entities/{servers}/?ordering=-attr.ram",
            "entry": f"/console/entries/{first}/",
            "job": f"/console/jobs/{job}/",
        }
        with running.context_of(viewport=SIZE, color_scheme="light", reduced_motion="reduce") as context:
            page = context.new_page()
            for name, path in pages.items():
                _taken(page, path, PICTURES / f"{name}.png")
    return 0


def _greeted(running: Stage) -> int:
    """Have the plugin `hello-world` run a job, and return it when it has ended."""
    job = int(running.call("POST", "plugins/hello-world-plugin/hello/", {"name": "operators"}, 202)["job"])

    def missing() -> str | None:
        state = running.call("GET", f"jobs/{job}/")
        return None if state["finished_at"] else f"job {job} is {state['status_name']}"

    running.host.stack.poll("the job", missing, JOB_SECONDS)
    return job


def _furnished(running: Stage) -> tuple[int, int]:
    """Make racks with servers, and return the entity of the servers and the one that others refer to."""
    rack = running.make_entity(
        "Rack", [{"name": "room", "type": "string"}, {"name": "units", "type": "number"}]
    )
    racks = [
        running.make_entry(rack, f"rack {row}{place}", {"room": f"R{row}", "units": 42})
        for row in "AB"
        for place in (1, 2)
    ]
    attrs: list[dict[str, Any]] = [
        {"name": "address", "type": "string", "is_summarized": True},
        {"name": "os", "type": "select", "is_summarized": True, "choices": ["Debian 13", "Ubuntu 26.04"]},
        {"name": "ram", "type": "number", "is_summarized": True},
        {"name": "bought", "type": "date", "is_summarized": True},
        {"name": "virtual", "type": "boolean", "is_summarized": True},
        {"name": "rack", "type": "object", "is_summarized": True, "referral": [rack]},
        {"name": "tags", "type": "array_string"},
    ]
    server = running.make_entity("Server", attrs)
    for number in range(SERVERS):
        values = {
            "address": f"192.0.2.{number + 10}",
            "os": ("Debian 13", "Ubuntu 26.04")[number % 3 == 0],
            "ram": 16 << number % 4,
            "bought": f"202{number % 5 + 1}-0{number % 9 + 1}-15",
            "virtual": number % 4 == 0,
            "rack": racks[number % len(racks)],
            "tags": [("web", "db", "cache")[number % 3], ("berlin", "tokyo")[number % 2]],
        }
        made = running.make_entry(server, f"{('web', 'db', 'cache')[number % 3]}-{number + 1:02}", values)
    cluster = running.make_entity(
        "Cluster", [{"name": "members", "type": "array_object", "referral": [server]}]
    )
    running.make_entry(cluster, "billing", {"members": [made]})
    running.call("PATCH", f"entries/{made}/", {"attrs": {"ram": 256, "tags": ["cache", "berlin", "hot"]}})
    return server, made


def _taken(page: Page, path: str, file: Path) -> None:
    """Take the picture of a page."""
    page.goto(path)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=file)
    print(f"screenshots: {file.name}, {file.stat().st_size // 1024} kB")


if __name__ == "__main__":
    sys.exit(main())
