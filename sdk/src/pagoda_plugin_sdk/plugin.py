"""The base class of every plugin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypedDict

from pagoda_plugin_sdk.authority import authority_of
from pagoda_plugin_sdk.decorators import HookMark, PartMark, hook_marks, part_marks
from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.metadata import DECLARED, NavigationEntry, declared_faults
from pagoda_plugin_sdk.override import OverrideOperation, override_meta

if TYPE_CHECKING:
    from pydantic import BaseModel  # the plugin's own dependency when it declares settings or params

    from pagoda_plugin_sdk.override import OverrideContext
    from pagoda_plugin_sdk.tasks import PluginTaskConfig


class HookHandler(TypedDict):
    """One collected handler of a plugin class."""

    hook_name: str
    entity: str | None
    priority: int
    method_name: str
    handler: Callable[..., Any]  # unbound function
    deferred: bool


class OverrideHandler(TypedDict):
    """One method of a plugin class that takes the place of an operation on entries."""

    operation: OverrideOperation
    method_name: str
    handler: Callable[..., Any]  # unbound function


class EntryPart(NamedTuple):
    """One method of a plugin class that is a panel or a button on the console's pages of entries."""

    mark: PartMark
    method_name: str


class PluginInfo(TypedDict):
    """What `Plugin.get_info` tells of a plugin."""

    id: str
    name: str
    version: str
    description: str
    author: str
    dependencies: list[str]
    django_apps: list[str]
    url_patterns: str | None
    api_v2_patterns: str | None
    hooks: list[str]  # names of the hooks it handles, sorted
    override_operations: list[str]  # that it has methods for, sorted
    has_params_model: bool
    permissions: list[str]


class Plugin:
    """A plugin: subclass it, set the attributes, mark handlers, and name the class as an entry point.

    The entry point's group is ``pagoda.plugins``. The host makes one instance per process.
    """

    id: str = ""  # unique; the plugin's queue and its URLs are named after it
    name: str = ""  # for people
    version: str = "1.0.0"  # PEP 440; for people, the distribution's decides what fits
    description: str = ""  # one line, for people
    author: str = ""  # for people
    dependencies: list[str] = []  # plugins that load before this one, by id or entry-point name
    django_apps: list[str] = []  # Django apps that the host installs, as in INSTALLED_APPS
    url_patterns: str | None = None  # URL module served under /plugins/<id>/
    api_v2_patterns: str | None = None  # URL module served under /api/v2/plugins/<id>/
    console_patterns: str | None = None  # URL module of pages, served under /console/plugins/<id>/
    navigation: list[NavigationEntry] = []  # links to them in the console's menu
    settings_model: type[BaseModel] | None = None  # checked against PLUGIN_SETTINGS before the plugin starts
    params_model: type[BaseModel] | None = None  # of the params in BACKEND_PLUGIN_ENTITY_OVERRIDES
    task_config: PluginTaskConfig | None = None  # background tasks, registered by the host

    permissions: list[str] = []  # what it needs beside its user's rights, see `pagoda_plugin_sdk.permissions`

    fail_closed: bool = False  # its validations refuse a write when they fail or are out of service

    settings: Any = None
    """The validated instance of `settings_model`, set by the host; Any as the model is the plugin's own."""

    _hook_handlers: ClassVar[list[HookHandler]] = []
    _override_handlers: ClassVar[list[OverrideHandler]] = []
    _entry_parts: ClassVar[list[EntryPart]] = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._hook_handlers = [
            _collected(name, function, mark)
            for name, function in _methods(cls)
            for mark in hook_marks(function)
        ]
        cls._override_handlers = [
            OverrideHandler(operation=meta.operation, method_name=name, handler=function)
            for name, function in _methods(cls)
            if (meta := override_meta(function)) is not None
        ]
        cls._entry_parts = [
            EntryPart(mark, name) for name, function in _methods(cls) for mark in part_marks(function)
        ]

    def __init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Check the declared attributes; a subclass may add checks of its own after ``super()``.

        Raises:
            PluginValidationError: it lists every fault.
        """
        faults = list(declared_faults({field: getattr(self, field) for field in DECLARED}))
        if faults:
            raise PluginValidationError(f"Plugin class {type(self).__qualname__}: {'; '.join(faults)}.")

    def get_info(self) -> PluginInfo:
        """Return the plugin's metadata as plain JSON values."""
        return PluginInfo(
            id=self.id,
            name=self.name,
            version=self.version,
            description=self.description,
            author=self.author,
            dependencies=list(self.dependencies),
            django_apps=list(self.django_apps),
            url_patterns=self.url_patterns,
            api_v2_patterns=self.api_v2_patterns,
            hooks=sorted({handler["hook_name"] for handler in self._hook_handlers}),
            override_operations=sorted({handler["operation"] for handler in self._override_handlers}),
            has_params_model=self.params_model is not None,
            permissions=list(self.permissions),
        )

    def validate_params(self, params: dict[str, Any]) -> Any:
        """Return what `OverrideContext.params` will be: an instance of `params_model`, else `params`.

        Raises:
            ValueError: they do not fit (pydantic's ValidationError is one); the host does not start then.
        """
        return params if self.params_model is None else self.params_model.model_validate(params)

    def get_handler(self, operation: str) -> Callable[[OverrideContext], Any] | None:
        """Return the bound method that takes the place of `operation`, or None; the last defined has it."""
        for handler in reversed(self._override_handlers):
            if handler["operation"] == operation.lower():
                method: Callable[[OverrideContext], Any] = getattr(self, handler["method_name"])
                return method
        return None

    def authority(self) -> AbstractContextManager[None]:
        """Return a block in which the plugin acts for itself, within the `permissions` that it was granted.

        Elsewhere its code acts for its user, and may do what that user may.

        Raises:
            PluginSecurityError: inside of it, where the plugin does what it was not granted.
        """
        return authority_of(self.id)

    def __str__(self) -> str:
        return f"{self.name} v{self.version} ({self.id})"

    def __repr__(self) -> str:
        return f"<Plugin: {self.id}>"


def _methods(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield each method once, bases first, each where it was first defined, with the overriding function."""
    names = dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base))
    for name in names:
        yield name, getattr(cls, name, None)


def _collected(name: str, function: Callable[..., Any], mark: HookMark) -> HookHandler:
    return HookHandler(
        hook_name=mark.hook_name,
        entity=mark.entity,
        priority=mark.priority,
        method_name=name,
        handler=function,
        deferred=mark.deferred,
    )
