"""The services of entries, by one name each."""

from pagoda.domain.entry.creating import create_entries, create_entry
from pagoda.domain.entry.deleting import delete_entries, delete_entry, restore_entry
from pagoda.domain.entry.history import revert_entry, revert_value
from pagoda.domain.entry.reading import read_attrs
from pagoda.domain.entry.updating import differs, update_entry, validate_entry
from pagoda.domain.entry.verifying import verify

__all__ = [
    "create_entries",
    "create_entry",
    "delete_entries",
    "delete_entry",
    "differs",
    "read_attrs",
    "restore_entry",
    "revert_entry",
    "revert_value",
    "update_entry",
    "validate_entry",
    "verify",
]
