"""The write services of entries, by one name each."""

from pagoda.domain.entry.creating import create_entries, create_entry
from pagoda.domain.entry.deleting import delete_entries, delete_entry, restore_entry
from pagoda.domain.entry.updating import update_entry

__all__ = [
    "create_entries",
    "create_entry",
    "delete_entries",
    "delete_entry",
    "restore_entry",
    "update_entry",
]
