"""Names of hooks as Literals, and what their handlers are: what mypy and pyright hold a plugin to.

A hook is named by its event, in full, or by its legacy alias. The first argument is the plugin itself. Any in
data is a value as docs/plugins/values.md has it; what a notified handler returns is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pagoda_plugin_sdk.protocols import EntityProtocol, EntryProtocol, UserProtocol

type User = UserProtocol | None  # None when nobody acts
type Data = dict[str, Any]
type Attrs = list[dict[str, Any]]

EntryBeforeCreate = Literal["before_create", "entry.before_create", "before_create_entry_v2"]
EntryBeforeUpdate = Literal["before_update", "entry.before_update", "before_update_entry_v2"]
EntryBeforeDelete = Literal["before_delete", "entry.before_delete", "before_delete_entry_v2"]
EntryBeforeRestore = Literal["before_restore", "entry.before_restore", "before_restore_entry_v2"]
EntryAfterCreate = Literal["after_create", "entry.after_create", "after_create_entry_v2"]
EntryAfterUpdate = Literal["after_update", "entry.after_update", "after_update_entry_v2"]
EntryAfterDelete = Literal["after_delete", "entry.after_delete", "after_delete_entry_v2"]
EntryAfterRestore = Literal["after_restore", "entry.after_restore", "after_restore_entry_v2"]
EntryAfter = Literal[EntryAfterCreate, EntryAfterUpdate, EntryAfterDelete, EntryAfterRestore]

EntityBeforeCreate = Literal["before_create", "entity.before_create", "before_create_entity_v2"]
EntityBeforeUpdate = Literal["before_update", "entity.before_update", "before_update_entity_v2"]
EntityBeforeDelete = Literal["before_delete", "entity.before_delete", "before_delete_entity_v2"]
EntityAfterCreate = Literal["after_create", "entity.after_create", "after_create_entity_v2"]
EntityAfterUpdate = Literal["after_update", "entity.after_update", "after_update_entity_v2"]
EntityAfterDelete = Literal["after_delete", "entity.after_delete", "after_delete_entity_v2"]
EntityAfter = Literal[EntityAfterCreate, EntityAfterUpdate, EntityAfterDelete]

type CreatesEntry = Callable[[Any, str, User, Data], Data | None]
type UpdatesEntry = Callable[[Any, str, User, Data, EntryProtocol], Data | None]
type SeesEntry = Callable[[Any, str, User, EntryProtocol], object]
type CreatesEntity = Callable[[Any, User, Data], Data | None]
type UpdatesEntity = Callable[[Any, User, Data, EntityProtocol], Data | None]
type SeesEntity = Callable[[Any, User, EntityProtocol], object]
type ValidatesEntry = Callable[[Any, User, str, str, Attrs, EntryProtocol | None], object]
type ShowsEntry = Callable[[Any, EntryProtocol, Attrs, bool], Attrs | None]
type ShowsEntity = Callable[[Any, EntityProtocol, Attrs], Attrs | None]
