from __future__ import annotations

import asyncio
import time
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpResponseRedirect

from pagoda_api.worker import ServerStops
from pagoda_plugin_sdk import HookRejected, Plugin, PluginSecurityError
from pagoda_plugin_sdk.decorators import entry_action, entry_panel
from pagoda_plugin_sdk.metadata import NavigationEntry
from pagoda_plugin_sdk.models import Entry

GOOD = "placed/good.html"
RAISED: dict[str, BaseException] = {
    "ValueError": ValueError("<b>no</b>"),
    "SystemExit": SystemExit(3),
    "CancelledError": asyncio.CancelledError(),
    "ServerStops": ServerStops(),
    "Http404": Http404(),
    "PermissionDenied": PermissionDenied(),
    "PluginSecurityError": PluginSecurityError("not yours"),
    "HookRejected": HookRejected("<i>not today</i>"),
    "BadRequest": BadRequest("what?"),
}
RETURNED: dict[str, Any] = {
    "a number": 3,
    "a template alone": GOOD,
    "no context": (GOOD, None),
    "keys that are none": (GOOD, {1: 2}),
    "a template of none": (3, {}),
    "missing": ("placed/missing.html", {}),
    "the host's own": ("admin/base.html", {}),
    "outside": ("../plugin.py", {}),
    "broken": ("placed/broken.html", {}),
    "nothing": None,
    "large": (GOOD, {"text": "x" * 5000}),
}


ACTED: dict[str, Any] = {
    "tells": "<i>told</i>",
    "a number": 3,
    "leads": HttpResponseRedirect("/console/jobs/"),
    "leads away": HttpResponseRedirect("//evil.example/"),
}


class Placed(Plugin):
    id = "placed"
    name = "Placed"
    does = "nothing"  # what its second panel does
    console_patterns = "placed.pages"
    navigation = [
        NavigationEntry("Good & <b>bold</b>", "good/"),
        NavigationEntry("Secret", "secret/", permission="entity.add_entity"),
    ]

    @entry_panel(entity="Host", title="Last", priority=200)
    def last(self, request: Any, entry: Any) -> Any:
        return GOOD, {"text": "<script>alert('x')</script>"}

    @entry_panel(entity="Host", title="Faulty & <b>bold</b>")
    def faulty(self, request: Any, entry: Any) -> Any:
        if self.does in RAISED:
            raise RAISED[self.does]
        if self.does == "hangs":
            time.sleep(60)
        if self.does == "spins":
            while True:
                pass
        return RETURNED[self.does]

    @entry_action(entity="Host", title="Do <b>it</b>")
    def act(self, request: Any, entry: Any) -> Any:
        if self.does in RAISED:
            raise RAISED[self.does]
        if self.does == "hangs":
            time.sleep(60)
        if self.does == "writes":
            entry.set_attrs(request.user, address="10.0.0.9")
        return ACTED.get(self.does)

    @entry_panel(title="Everywhere", priority=50)
    def everywhere(self, request: Any, entry: Any) -> Any:
        return GOOD, {"text": str(Entry.objects.filter(name="secret").count())}


class Coroutine(Plugin):
    id = name = "coroutine"

    @entry_panel(title="Later")  # type: ignore[type-var]
    async def later(self, request: Any, entry: Any) -> Any:
        return None


class Narrow(Plugin):
    id = name = "narrow"

    @entry_panel(title="Narrow")  # type: ignore[type-var]
    def narrow(self, request: Any) -> Any:
        return None
