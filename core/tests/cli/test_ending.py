"""Commands end, whatever a plugin left behind when it was loaded."""

from __future__ import annotations

from typing import Any

import pytest

FORMS = {
    "thread": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), name='feeder').start()\n"
    ),
    "pool": (
        "import time\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "pool = ThreadPoolExecutor()\npool.submit(time.sleep, 600)\n"
    ),
    "exit handler": "import atexit, time\natexit.register(time.sleep, 600)\n",
    "process": (
        "import multiprocessing, time\n"
        "multiprocessing.get_context('fork').Process(target=time.sleep, args=(600,)).start()\n"
    ),
}
PLUGIN = """
from pagoda_plugin_sdk import Plugin

class ThePlugin(Plugin):
    id = "bad"
    name = "A bad plugin"
"""


@pytest.mark.parametrize("form", FORMS)
def test_check_ends_and_names_what_holds_a_process(form: str, pagoda: Any) -> None:
    pagoda.install("bad", FORMS[form] + PLUGIN)
    is_seen = form != "exit handler"  # only what ends tells that a handler of the exit hangs

    printed = pagoda("plugins", "check", status=int(is_seen))

    assert ("Plugin 'bad' (distribution 'dist-bad'): Loading it changes the process" in printed) == is_seen
    assert ("the process is held by" in printed) == (form != "process")


def test_migrate_ends_with_its_own_status(pagoda: Any) -> None:
    pagoda.install("bad", FORMS["thread"] + PLUGIN)

    assert "the process is held by feeder after its work is done; it is ended" in pagoda("migrate")


def test_the_urls_of_a_plugin_are_watched_too(pagoda: Any) -> None:
    pagoda.install(
        "good",
        None,
        'api_v2_patterns = "generated_good.urls"',
        modules={"urls.py": FORMS["thread"] + "urlpatterns = []\n"},
    )

    printed = pagoda("plugins", "check", status=1)

    assert "Loading its URL module 'generated_good.urls' changes the process" in printed
