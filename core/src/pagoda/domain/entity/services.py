"""The write services of entities and their attributes, by one name each."""

from pagoda.domain.entity.creating import create_entity
from pagoda.domain.entity.deleting import delete_entity, restore_entity
from pagoda.domain.entity.updating import add_attribute, remove_attribute, rename_attribute, update_entity

__all__ = [
    "add_attribute",
    "create_entity",
    "delete_entity",
    "remove_attribute",
    "rename_attribute",
    "restore_entity",
    "update_entity",
]
