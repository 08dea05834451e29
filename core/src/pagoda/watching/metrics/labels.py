"""Labels are bounded: a value that is not among the known ones becomes ``other``."""

from __future__ import annotations

from pagoda.jobs import operations, plugin_host

OTHER = "other"
CORE = "core"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


_known: set[str] = set()  # enabled plugins that were asked for: the registry looks through all of them


def plugin_label(plugin_id: str | None) -> str:
    """Return the id of an enabled plugin, ``core`` for the host's own."""
    if not plugin_id:
        return CORE
    if plugin_id not in _known and plugin_id in plugin_host.known_plugin_names():
        _known.add(plugin_id)
    return plugin_id if plugin_id in _known else OTHER


def method_label(method: str | None) -> str:
    """Return a method that HTTP knows."""
    return method if method in METHODS else OTHER


def status_label(status: int) -> str:
    """Return a status code that HTTP knows."""
    return str(status) if 100 <= status <= 599 else OTHER


def operation_label(number: int) -> str:
    """Return the name of an operation that this process knows."""
    spec = operations.find(number)
    return spec.name if spec is not None else OTHER
