"""A host in memory: what plugins read and write through the SDK, by the host's own rules, without a database.

It keeps entities, entries, users with levels, and jobs, and runs the hooks of its plugins for each write.
Beside what every host does it lets a handler's failure through, which the real one contains: a test is to see
it. The contract suite, `tests/contract`, holds it against the real host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

from django.core.exceptions import MultipleObjectsReturned as SeveralFound
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError

from pagoda_plugin_sdk.exceptions import HookRejected
from pagoda_plugin_sdk.hooks import HOOK_SPECS, HookKind
from pagoda_plugin_sdk.operations import PermissionLevel
from pagoda_plugin_sdk.plugin import Plugin
from pagoda_plugin_sdk.testing.hooks import run_hook_of_all
from pagoda_plugin_sdk.testing.memory_entities import MemoryEntities, MemoryEntity, MemoryEntityAttr
from pagoda_plugin_sdk.testing.memory_entries import MemoryEntries, MemoryEntry
from pagoda_plugin_sdk.testing.memory_jobs import MemoryJob, MemoryJobs, run_job
from pagoda_plugin_sdk.testing.queries import MemoryQuerySet
from pagoda_plugin_sdk.testing.settings import validated_settings


@dataclass(frozen=True, kw_only=True)
class MemoryUser:
    """A user that is logged in."""

    id: int
    username: str
    is_superuser: bool = False
    is_active: bool = True
    is_authenticated: ClassVar[bool] = True

    @property
    def pk(self) -> int:
        """Its id."""
        return self.id

    def get_username(self) -> str:
        """Return the name, as Django's users do."""
        return self.username

    def __str__(self) -> str:
        return self.username


@dataclass(frozen=True, kw_only=True)
class MemoryTarget:
    """A group or a role, which attributes may point to."""

    pk: int
    name: str
    _meta: SimpleNamespace


class MemoryHost:
    """Entities, entries and jobs of one test; pass `models` to `injected`.

    `reads` counts evaluated queries, `changes` lists the writes, ``("create", "Host", "web-1")``, `versions`
    counts stored attribute values.
    """

    def __init__(self, *plugins: Plugin) -> None:
        self.plugins: list[Plugin] = list(plugins)
        self.reads = 0
        self.versions = 0
        self.changes: list[tuple[str, str, str]] = []
        self.entities: list[MemoryEntity] = []
        self.entity_attrs: list[MemoryEntityAttr] = []
        self.entries: list[MemoryEntry] = []
        self.jobs: list[MemoryJob] = []
        self.users: dict[str, MemoryUser] = {}
        self.targets: list[MemoryTarget] = []
        self.acting_user: Any = None
        self.is_authorized = False  # whether a plugin acts for itself, with all that it asks for
        self._granted: dict[tuple[Any, Any], int] = {}  # {(user's id, thing): level}
        self.models: dict[str, type[Any]] = {
            "Entity": self._model(MemoryEntity, MemoryEntities(self)),
            "EntityAttr": self._model(
                MemoryEntityAttr, MemoryQuerySet(lambda: self.entity_attrs, self.count_read)
            ),
            "Entry": self._model(MemoryEntry, MemoryEntries(self)),
            "Job": self._model(MemoryJob, MemoryJobs(self.jobs, self.count_read)),
        }

    def register(self, plugin: Plugin, **values: Any) -> Plugin:  # Any: of the plugin's settings
        """Put one more plugin in service, with its settings."""
        self.plugins.append(plugin)
        if plugin.settings_model is not None:
            self.settings(values, plugin)
        return plugin

    def settings(self, values: Mapping[str, Any], plugin: Plugin | None = None) -> Any:
        """Give a plugin, the first by default, these settings and return them, validated.

        Any: an instance of its model.

        Raises:
            PluginLoadError: they do not fit; each fault names its field.
        """
        plugin = plugin or self.plugins[0]
        kept = plugin.settings.model_dump() if plugin.settings is not None else {}
        plugin.settings = validated_settings(plugin, {**kept, **values})
        return plugin.settings

    def user(self, username: str = "ann", *, is_superuser: bool = False) -> MemoryUser:
        """Return the user of this name, made at the first call."""
        made = MemoryUser(id=len(self.users) + 1, username=username, is_superuser=is_superuser)
        return self.users.setdefault(username, made)

    def target(self, noun: str, name: str) -> MemoryTarget:
        """Make a ``"group"`` or a ``"role"``."""
        made = MemoryTarget(pk=len(self.targets) + 1, name=name, _meta=SimpleNamespace(verbose_name=noun))
        self.targets.append(made)
        return made

    def allow(self, user: Any, level: int, *things: Any) -> None:
        """Give `user` a level on entities, attributes and entries, or, if none is named, on every entity."""
        for thing in things or self.entities:
            key = (user.id, thing)
            self._granted[key] = max(level, self._granted.get(key, 0))

    def level_of(self, user: Any, *chain: Any) -> int:
        """Return the lowest of the levels that `user` has on the things of `chain`; None: the host, Full."""
        if user is None or self.is_authorized or getattr(user, "is_superuser", False):
            return PermissionLevel.FULL
        if not getattr(user, "is_active", True):
            return PermissionLevel.NOTHING
        return min(
            PermissionLevel.FULL
            if thing.owner is not None and thing.owner == user
            else max(thing.default_permission, self._granted.get((getattr(user, "id", None), thing), 0))
            for thing in chain
        )

    def require(self, user: Any, level: int, what: str, has: int) -> None:
        """Refuse unless `has`, the level of `user` on `what`, is enough.

        Raises:
            PermissionDenied: it is not; what `user` may not see is not named.
        """
        if has >= level:
            return
        if has < PermissionLevel.READABLE:
            raise PermissionDenied("You may not see what this would change, or it does not exist.")
        needed, having = PermissionLevel(level).name.capitalize(), PermissionLevel(has).name.lower()
        raise PermissionDenied(
            f"{needed} permission on {what} is needed; user {user.username!r} has {having!r}. "
            "Ask for a role that grants it."
        )

    @contextmanager
    def acting(self, user: Any) -> Iterator[Any]:
        """Have `user` act in the block, as in a request of theirs."""
        before, self.acting_user = self.acting_user, user
        try:
            yield user
        finally:
            self.acting_user = before

    @contextmanager
    def acting_for_itself(self, _plugin_id: str) -> Iterator[None]:
        """Have a plugin's own rights decide in the block: here it has all."""
        before, self.is_authorized = self.is_authorized, True
        try:
            yield
        finally:
            self.is_authorized = before

    def run_hook(self, name: str, *arguments: Any, entity_name: str | None = None) -> Any:
        """Run the handlers of a hook as a write does; return the data of a transform or filter.

        Raises:
            HookRejected: a handler refuses.
        """
        try:
            return run_hook_of_all(self.plugins, name, *arguments, entity_name=entity_name)
        except (ValueError, ValidationError) as error:  # how a validation may refuse as well
            spec = HOOK_SPECS.get(name)
            if isinstance(error, HookRejected) or spec is None or spec.kind is not HookKind.VETO:
                raise
            text = "; ".join(error.messages) if isinstance(error, ValidationError) else str(error)
            raise HookRejected(text) from error

    def run_task(
        self, plugin: str, operation_name: str, params: Mapping[str, Any] | None = None, user: Any = None
    ) -> MemoryJob:
        """Run an operation of a plugin to its end, once; return its job."""
        jobs: Any = self.models["Job"].objects
        job: MemoryJob = jobs.submit(plugin=plugin, operation_name=operation_name, user=user, params=params)
        return self._run(job)

    def run_jobs(self) -> list[MemoryJob]:
        """Run the jobs that wait, those that they submit included; return them."""
        done = []
        while waiting := next((job for job in self.jobs if not job.is_finished()), None):
            done.append(self._run(waiting))
        return done

    def count_read(self) -> None:
        """Note that a query was evaluated."""
        self.reads += 1

    def entity(self, name: str) -> MemoryEntity:
        """Return the entity with this name."""
        return next(entity for entity in self.entities if entity.name == name)

    def entry(self, entity_name: str, name: str) -> MemoryEntry:
        """Return the active entry with this name."""
        found = (entry for entry in self.entries if entry.is_active and entry.name == name)
        return next(entry for entry in found if entry.schema.name == entity_name)

    def _run(self, job: MemoryJob) -> MemoryJob:
        settings = next((each.settings for each in self.plugins if each.id == job.plugin), None)
        with self.acting(job.user):
            return run_job(job, settings)

    def _model(self, base: type[Any], objects: MemoryQuerySet) -> type[Any]:
        name = base.__name__.removeprefix("Memory")
        members: dict[str, Callable[..., Any] | Any] = {
            "host": self,
            "objects": objects,
            "DoesNotExist": type("DoesNotExist", (ObjectDoesNotExist,), {}),
            "MultipleObjectsReturned": type("MultipleObjectsReturned", (SeveralFound,), {}),
        }
        objects.model = type(name, (base,), members)
        return objects.model
