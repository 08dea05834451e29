"""Tell the type checker which apps have models and what type each of our settings has.

Nothing runs under these settings: the services build theirs from the environment, and boot plugins with them.
For the same reason the host's apps stand here with their models alone, without what they do when ready.
"""

import sys
from pathlib import Path

from django.apps import AppConfig

from pagoda.config.settings import Settings

# Plugins of tests that have models are found by their folders, and installed nowhere here.
ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "tools" / "chaos_plugins" / "chaos" / "src"))
sys.path.append(str(ROOT / "tests" / "integration" / "plugins" / "trial" / "src"))

AUTH_USER_MODEL = "user.User"
SECRET_KEY = "type-checking"  # noqa: S105 - no process serves with it
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
PAGODA: Settings
ENABLED_PLUGINS: list[str] = []
PLUGIN_OPERATION_ID_CONFIG: dict[str, tuple[int, int]] = {}
CUSTOM_TASKS: dict[int, str] = {}


class UserModels(AppConfig):
    """Users, roles and tokens."""

    name = "pagoda.domain.user"
    label = "user"


class EntityModels(AppConfig):
    """Entities and their attributes."""

    name = "pagoda.domain.entity"
    label = "entity"


class EntryModels(AppConfig):
    """Entries and their values."""

    name = "pagoda.domain.entry"
    label = "entry"


class JobModels(AppConfig):
    """Jobs."""

    name = "pagoda.jobs"
    label = "job"


class AuditModels(AppConfig):
    """The audit log."""

    name = "pagoda.audit"
    label = "audit"


class FencingModels(AppConfig):
    """Breakers."""

    name = "pagoda.fencing"
    label = "fencing"


class RatesModels(AppConfig):
    """Counts of requests."""

    name = "pagoda.rates"
    label = "rates"


class IdempotencyModels(AppConfig):
    """Answers that are kept."""

    name = "pagoda.idempotency"
    label = "idempotency"


class SearchModels(AppConfig):
    """Saved searches."""

    name = "pagoda.domain.search"
    label = "search"


class WatchingModels(AppConfig):
    """Processes, traffic, alerts."""

    name = "pagoda.watching"
    label = "watching"


HOST_MODELS = (
    UserModels,
    EntityModels,
    EntryModels,
    JobModels,
    AuditModels,
    FencingModels,
    RatesModels,
    IdempotencyModels,
    SearchModels,
    WatchingModels,
)
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.admin",
    "pagoda_chaos",
    "pagoda_trial",
    *(f"{models.__module__}.{models.__qualname__}" for models in HOST_MODELS),
]
