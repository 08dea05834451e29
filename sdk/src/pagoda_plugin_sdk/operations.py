"""Numbers that are stored: levels of permission; of jobs their statuses, kinds of target and operations."""

from __future__ import annotations

import enum


@enum.unique
class JobStatus(enum.IntEnum):
    """Where a job stands. The numbers are stored and never change."""

    PREPARING = 1  # created, not yet asked to run
    DONE = 2  # finished
    ERROR = 3  # failed, the cause is kept with the job
    TIMEOUT = 4  # ran past its time limit
    PROCESSING = 5  # queued or running; `phase` tells which
    CANCELED = 6  # cancelled before it finished
    WARNING = 7  # finished, with something to look at

    @property
    def is_finished(self) -> bool:
        """Return whether no more work is done in this status."""
        return self not in (JobStatus.PREPARING, JobStatus.PROCESSING)


@enum.unique
class JobTarget(enum.IntEnum):
    """What a job works on."""

    UNKNOWN = 0  # nothing in particular
    ENTRY = 1  # an entry
    ENTITY = 2  # an entity


@enum.unique
class JobOperation(enum.IntEnum):
    """The host's own operations (1-99). Custom ones have 100-199, plugins 200-9999."""

    EXPORT_ENTRIES = 10  # writes entries and their schema to a file, which the job carries
    IMPORT_ENTRIES = 11  # makes entries of a file that the job carries
    CONVERT_VALUES = 12  # changes attributes of an entity, and converts their values
    INDEX_VALUES = 20  # makes and drops the indexes of attributes that are marked `is_indexed`
    PURGE_JOBS = 90  # removes finished jobs past their retention
    RUN_DEFERRED_HOOK = 91  # runs one deferred hook handler, on the plugin's queue
    CANARY = 92  # does nothing, on any queue: it shows that the queue has a worker


@enum.unique
class PermissionLevel(enum.IntEnum):
    """What a user may do with an entity, an attribute or an entry; a higher level includes the lower ones."""

    NOTHING = 1  # not even see it
    READABLE = 2  # see it
    WRITABLE = 4  # change its values
    FULL = 8  # delete it, restore it, change its permissions


CORE_OPERATIONS = range(1, 100)
CUSTOM_OPERATIONS = range(100, 200)
PLUGIN_OPERATIONS = range(200, 10_000)
