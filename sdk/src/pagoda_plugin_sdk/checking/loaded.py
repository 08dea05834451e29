"""What the class of a plugin tells once it is loaded: nothing that keeps it from being served."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from pagoda_plugin_sdk.checking.defaults import default_findings
from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.checking.handlers import override_faults, type_warnings
from pagoda_plugin_sdk.checking.loading import named_object
from pagoda_plugin_sdk.checking.marks import lost_marks, own_classes, stray_marks, subclasses
from pagoda_plugin_sdk.checking.panels import template_warnings
from pagoda_plugin_sdk.metadata import DECLARED
from pagoda_plugin_sdk.plugin import Plugin

_CLOSE = 0.88
"""How alike a slip of the pen is, of 1."""


def class_findings(plugin: Plugin) -> Iterator[CheckFinding]:
    """Yield what an author would mend, beside what a host refuses. Call it inside a fence."""
    yield from override_faults(plugin)
    yield from type_warnings(plugin)
    yield from lost_marks(plugin)
    yield from stray_marks(plugin)
    yield from _identity_findings(type(plugin), str(plugin.id))
    yield from _unchecked_init(type(plugin))
    yield from _misspelt_attributes(plugin)
    yield from template_warnings(plugin)
    for what, model in (
        ("`settings_model`", plugin.settings_model),
        ("`params_model`", plugin.params_model),
    ):
        if model is not None:
            yield from default_findings(what, model, "bad_settings")


def unnamed_classes(targets: Iterable[str]) -> Iterator[CheckFinding]:
    """Yield a warning for each plugin class with handlers that no entry point names, nor a class below it.

    `targets` are those of all entry points of the project, whose modules are loaded.
    """
    named = [target.replace(" ", "").partition(":")[::2] for target in targets]
    packages = {module.partition(".")[0] for module, _ in named}
    served = [named_object(sys.modules.get(module), attribute) for module, attribute in named]
    for cls in subclasses(Plugin):
        is_ours = cls.__module__.partition(".")[0] in packages and not cls.__subclasses__()
        has_handlers = cls._hook_handlers or cls._override_handlers or cls._entry_parts
        if is_ours and has_handlers and cls not in served:
            text = f"{cls.__module__}.{cls.__qualname__} is a plugin class that no entry point names: nobody "
            text += 'calls its handlers. Add it to [project.entry-points."pagoda.plugins"], or remove it.'
            yield CheckFinding(code="not_a_plugin", text=text, is_warning=True)


def _identity_findings(cls: type[Plugin], plugin_id: str) -> Iterator[CheckFinding]:
    """Yield what is wrong with an id that is made when an instance is."""
    if isinstance(getattr(cls, "id", None), str) and cls.id == plugin_id:
        return
    if cls().id != plugin_id:
        text = "Its id is another one in each instance, and so in each process. Write it down as a text."
        yield CheckFinding(code="invalid_plugin", text=text)
    else:
        text = f"Its class computes `id`, so that settings and `dependencies` that say {plugin_id!r} may not "
        text += "be understood before it is loaded. Write it down as a text."
        yield CheckFinding(code="invalid_plugin", text=text, is_warning=True)


def _unchecked_init(cls: type[Plugin]) -> Iterator[CheckFinding]:
    """Yield a warning for an `__init__` that does not call the one of `Plugin`."""
    if not any("__init__" in vars(base) for base in own_classes(cls)):
        return
    made: list[object] = []
    original = Plugin.__init__

    def note(self: Plugin) -> None:
        made.append(self)
        original(self)

    Plugin.__init__ = note  # type: ignore[method-assign]  # put back below
    try:
        cls()
    finally:
        Plugin.__init__ = original  # type: ignore[method-assign]
    if not made:
        text = f"{cls.__qualname__}.__init__ does not call super().__init__(), so that `validate` is not run "
        text += "when the plugin is made. Call it."
        yield CheckFinding(code="invalid_plugin", text=text, is_warning=True)


def _misspelt_attributes(plugin: Plugin) -> Iterator[CheckFinding]:
    """Yield a warning for each attribute that is nearly called as one that a plugin may declare."""
    written = {name: value for base in own_classes(type(plugin)) for name, value in vars(base).items()}
    missing = [name for name in DECLARED if name not in written]
    is_value = not inspect.isroutine(written.get("settings"))
    if "settings" in written and is_value and plugin.settings_model is None:
        text = (
            "Its class has `settings`, which the host replaces by the values of `settings_model`, and there "
            "is none. Give it another name."
        )
        yield CheckFinding(code="invalid_plugin", text=text, is_warning=True)
    for name, value in written.items():
        if name.startswith("_") or hasattr(Plugin, name) or inspect.isroutine(value):
            continue
        for close in get_close_matches(name, missing, n=1, cutoff=_CLOSE):
            yield CheckFinding(
                code="invalid_plugin",
                text=f"Its class has `{name}`, which the host does not read. Did you mean `{close}`?",
                is_warning=True,
            )
