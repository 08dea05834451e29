"""How a plugin of the registry acts for itself: `Plugin.authority()` and ``job.authority()``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pagoda import running
from pagoda.domain.acting import acting_by
from pagoda.domain.authority import PluginAuthority, beyond
from pagoda.plugins.registry import PluginRegistry


@contextmanager
def acting_for_itself(registry: PluginRegistry, plugin_id: str) -> Iterator[None]:
    """Have what a plugin was granted decide in the block; in the host's own code it changes nothing.

    Raises:
        BeyondAuthority: another plugin's code opens it.
    """
    code = running.innermost()
    if code is None:
        yield
        return
    if code.plugin_id != plugin_id:
        beyond(code.plugin_id, "act as another plugin", f"can't act on the authority of {plugin_id!r}")
    record = next((each for each in registry.active if each.id == plugin_id), None)
    granted = frozenset() if record is None else record.grants.effective
    with acting_by(PluginAuthority(plugin_id, granted), code):
        yield
