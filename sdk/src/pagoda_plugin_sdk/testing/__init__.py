"""A test kit for plugins: everything a plugin meets in a host, without a host."""

from pagoda_plugin_sdk.testing.hooks import handlers_of, run_hook
from pagoda_plugin_sdk.testing.injection import injected
from pagoda_plugin_sdk.testing.jobs import (
    AttachedFile,
    End,
    FakeJob,
    LogLine,
    RecordingLogger,
    SubmittedJob,
    run_task,
)
from pagoda_plugin_sdk.testing.memory import MemoryHost, MemoryUser
from pagoda_plugin_sdk.testing.memory_entities import MemoryEntity
from pagoda_plugin_sdk.testing.memory_entries import MemoryEntry
from pagoda_plugin_sdk.testing.memory_jobs import MemoryJob

__all__ = [
    "AttachedFile",
    "End",
    "FakeJob",
    "LogLine",
    "MemoryEntity",
    "MemoryEntry",
    "MemoryHost",
    "MemoryJob",
    "MemoryUser",
    "RecordingLogger",
    "SubmittedJob",
    "handlers_of",
    "injected",
    "run_hook",
    "run_task",
]
