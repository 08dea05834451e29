"""The host's settings: one typed object, read once from the environment.

Every setting is an environment variable of the field's name in upper case; ``.env.example`` lists them.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    DirectoryPath,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from pagoda.config.accounts import account_of
from pagoda.config.production import production_fault
from pagoda.config.rates import check_rate
from pagoda.config.secret_file import stored_secret
from pagoda.config.urls import (
    check_bind,
    check_broker_url,
    check_cache_url,
    check_database_url,
    check_issuer,
    check_networks,
    check_optional_bind,
    check_origins,
    check_path_prefix,
    check_sentry_dsn,
)
from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.permissions import Permission

Names = Annotated[tuple[str, ...], NoDecode]
"""A comma-separated list."""

RateLimit = Annotated[str | None, AfterValidator(check_rate)]
OptionalBind = Annotated[str | None, AfterValidator(check_optional_bind)]


def check_permission(value: str) -> str:
    """Return the text of a permission, checked.

    Raises:
        ValueError: there is no such permission; the nearest are given.
    """
    try:
        return str(Permission.parse(value))
    except PluginValidationError as error:
        raise ValueError(str(error)) from error


GrantedPermission = Annotated[str, AfterValidator(check_permission)]


class WorkerConfig(BaseModel):
    """How one plugin's worker runs, from PLUGIN_WORKER_CONFIG."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    concurrency: int = Field(default=1, ge=1, le=64)  # child processes
    memory_mb: int = Field(default=512, ge=64)  # a child above it is replaced after its task


class PluginPin(BaseModel):
    """What alone may be imported as a plugin, from PLUGIN_LOCK; `pagoda plugins lock` prints it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str | None = None  # of the distribution
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")  # of its installed files


class Settings(BaseSettings):
    """What an operator sets. Secrets are never printed, neither here nor in a fault."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=False)

    # Where and as what it runs
    pagoda_env: Literal["development", "production"] = "development"
    pagoda_data_dir: Path = Path(".pagoda")  # database, broker files, job files of the embedded default
    pagoda_secret_key: SecretStr | None = None  # signs sessions; kept in the data folder when not set
    pagoda_debug: bool = False
    pagoda_wait_seconds: float = Field(default=60.0, ge=0)  # for database and migrations, at start-up
    pagoda_allowed_hosts: Names = ("localhost", "127.0.0.1", "[::1]")
    pagoda_csrf_trusted_origins: Annotated[Names, AfterValidator(check_origins)] = ()
    pagoda_trusted_proxies: Annotated[Names, AfterValidator(check_networks)] = ()  # whose X-Forwarded-* count
    pagoda_path_prefix: Annotated[str, AfterValidator(check_path_prefix)] = (
        ""  # under which a proxy serves it
    )

    # Servers; without them SQLite and files serve, all in the data folder
    database_url: Annotated[SecretStr | None, AfterValidator(check_database_url)] = None
    database_pooling: Literal["session", "transaction"] = "session"  # of what is between, such as PgBouncer
    broker_url: Annotated[SecretStr | None, AfterValidator(check_broker_url)] = None
    cache_url: Annotated[SecretStr | None, AfterValidator(check_cache_url)] = None  # shared by all processes
    pagoda_account_passwords_dir: Path | None = None  # a file per account; `migrate` makes those

    # Plugins
    enabled_plugins: Names = ()  # by Plugin.id or entry-point name, in load order
    plugin_examples_dir: DirectoryPath | None = None  # a folder of plugin projects, for development
    pagoda_plugin_strict: bool = False  # a plugin at fault stops start-up
    pagoda_safe_mode: bool = False  # start without plugins
    plugin_operation_id_config: dict[str, Any] = {}  # {plugin: [first id, last id]}; the registry checks it
    plugin_settings: dict[str, dict[str, Any]] = {}  # {plugin: values of its settings_model}
    plugin_permissions: dict[str, tuple[GrantedPermission, ...]] = {}  # {plugin: what it may beside its user}
    backend_plugin_entity_overrides: dict[str, Any] = {}  # {entity: {plugin, operations, params}}
    plugin_lock: dict[str, PluginPin] = {}  # {plugin: version and hash that alone may be imported}
    plugin_worker_config: dict[str, WorkerConfig] = {}  # {plugin, or "core": how its worker runs}
    plugin_load_timeout_seconds: float = Field(default=30.0, gt=0, le=3600)  # of each step of a plugin's load
    plugin_hook_timeout_seconds: float = Field(default=2.0, gt=0, le=60)  # time budget of one handler
    plugin_endpoint_timeout_seconds: float = Field(default=10.0, gt=0, le=50)  # time budget of one request
    plugin_max_response_bytes: int = Field(default=10_485_760, ge=1024)  # of a plugin's endpoint
    plugin_max_concurrent_requests: int | None = Field(
        default=None, ge=1
    )  # per plugin; half of all unless set
    custom_tasks: dict[int, str] = {}  # {operation id 100-199: "module.function"}

    # Breakers: hooks, endpoints or tasks of a plugin that fail go out of service for a while
    breaker_min_calls: int = Field(default=20, ge=1)  # in the window, before the ratio counts
    breaker_failure_ratio: float = Field(default=0.5, gt=0, le=1)
    breaker_consecutive_failures: int = Field(default=5, ge=1)  # of one handler, view or operation
    breaker_window_seconds: float = Field(default=60.0, gt=0)
    breaker_cooldown_seconds: float = Field(default=30.0, gt=0)  # before one call is let through as a probe
    breaker_dry_run: bool = False  # decide and tell, but take nothing out of service
    breaker_pinned: Names = ()  # plugins that are never taken out of service

    # API
    api_bind: Annotated[str, AfterValidator(check_bind)] = "127.0.0.1:8000"
    api_workers: int = Field(default=2, ge=1, le=64)  # processes
    api_token_lifetime_hours: int = Field(default=24 * 30, ge=1)  # unless whoever asks for it says otherwise
    api_token_max_lifetime_hours: int | None = Field(
        default=None, ge=1, le=24 * 36_500
    )  # None: tokens may be for ever
    api_max_body_bytes: int = Field(default=2_621_440, ge=1024)
    api_max_json_depth: int = Field(default=64, ge=1, le=500)  # of arrays and objects inside each other
    api_worker_memory_mb: int = Field(default=512, ge=64)  # on top of what a process has when it starts

    pagoda_hsts_seconds: int = Field(default=31_536_000, ge=0)  # in production, of answers by https; 0: off

    # Logins that fail: from so many on each doubles the wait; a count of 0 is off
    pagoda_login_failures: int = Field(default=5, ge=0)  # of a name from one network (/24, IPv6: /64)
    pagoda_login_failures_name: int = Field(default=50, ge=0)  # of a name, from wherever
    pagoda_login_failures_network: int = Field(default=100, ge=0)  # from one network, of all names
    pagoda_login_wait_seconds: float = Field(default=1.0, gt=0, le=3600)  # the first wait
    pagoda_login_max_wait_seconds: float = Field(default=900.0, gt=0, le=86_400)

    # Logins through an OpenID provider; off unless an issuer is set
    pagoda_oidc_issuer: Annotated[str | None, AfterValidator(check_issuer)] = None
    pagoda_oidc_client_id: str | None = None
    pagoda_oidc_client_secret: SecretStr | None = None
    pagoda_oidc_scopes: Names = ("openid", "profile", "email")
    pagoda_oidc_username_claim: str = "preferred_username"
    pagoda_oidc_groups_claim: str = "groups"
    pagoda_oidc_groups: dict[str, tuple[str, ...]] = {}  # {value of the claim: names of groups}
    pagoda_oidc_roles: dict[str, tuple[str, ...]] = {}  # {value of the claim: names of roles}
    pagoda_oidc_superusers: Names = ()  # values of the claim; others lose it, unless empty

    # Rights: what everybody who is logged in may do with an entity that is made without a level
    pagoda_default_level: Literal["nothing", "readable", "writable", "full"] = "readable"

    # Domain: what one write may hold, in every way that leads in
    domain_max_attributes: int = Field(default=1_000, ge=1)  # of an entity
    domain_max_array_items: int = Field(default=10_000, ge=1)  # of an array attribute's value
    domain_max_choices: int = Field(default=1_000, ge=1)  # of a select; entities in a referral
    domain_max_bulk_items: int = Field(default=1_000, ge=1, le=10_000)  # writes in one bulk request
    domain_max_converted: int = Field(default=5_000, ge=1)  # entries whose values one request converts
    domain_max_faults: int = Field(default=20, ge=1, le=1_000)  # that one answer tells; it counts the others

    # Search
    search_timeout_seconds: float = Field(default=5.0, gt=0, le=60)  # of one search, its count included
    search_max_scanned_rows: int = Field(default=100_000, ge=1)  # entries that no index leads to

    # Jobs
    job_lease_seconds: float = Field(default=30.0, ge=1)  # a worker silent for this long has lost its jobs
    job_soft_limit_seconds: float = Field(default=3300.0, gt=0)
    job_hard_limit_seconds: float = Field(default=3600.0, gt=0)
    job_cancel_grace_seconds: float = Field(default=10.0, gt=0)  # between asking a job to stop and its end
    job_max_attempts: int = Field(default=3, ge=1, le=100)
    job_retry_backoff_seconds: float = Field(default=5.0, gt=0)
    job_retention_days: float = Field(default=30.0, gt=0)
    job_soft_shutdown_seconds: float = Field(default=20.0, gt=0)  # a stopping worker lets jobs finish
    job_result_max_bytes: int = Field(default=65_536, ge=1024)  # as JSON
    job_params_max_bytes: int = Field(default=1_048_576, ge=1024)  # as JSON
    job_text_max_characters: int = Field(default=10_000, ge=200)  # longer ones are shortened
    job_max_queued_per_user: int = Field(default=10_000, ge=1)  # unfinished ones that one user asked for
    job_dispatch_interval_seconds: float = Field(default=0.5, gt=0, le=60)
    pagoda_worker_remote_control: bool = False  # whoever may publish may stop workers and their queues
    celery_db_reuse_max: int = Field(default=1_000_000, ge=1)  # tasks before a worker renews its connection

    # Rate limits, such as "600/min" (s, min, h); off unless set
    rate_limit_user: RateLimit = None
    rate_limit_token: RateLimit = None
    rate_limit_plugin_user: RateLimit = None  # of each user to each plugin's endpoints

    # Health: what a plugin or a queue must keep to count as healthy
    health_window_minutes: int = Field(default=15, ge=1, le=24 * 60)  # that is looked at
    health_min_calls: int = Field(default=5, ge=1)  # in the window, before the ratio counts
    health_error_ratio: float = Field(default=0.1, gt=0, le=1)  # above: degraded; above 0.5: failing
    health_refused_ratio: float = Field(default=0.1, gt=0, le=1)  # of requests, as all its slots are taken
    health_p95_seconds: float = Field(default=2.0, gt=0)
    health_queue_depth: int = Field(default=1000, ge=1)
    health_queue_age_seconds: float = Field(default=300.0, gt=0)
    health_presence_seconds: float = Field(default=30.0, ge=10)  # a process silent for so long is gone

    # Metrics and alerts
    metrics_bind: OptionalBind = None  # where workers and dispatcher serve /metrics; off unless set
    alert_urls: SecretStr | None = None  # Apprise URLs, separated by white space or commas
    alert_silenced_plugins: Names = ()  # nobody is told of theirs
    alert_interval_seconds: float = Field(default=5.0, gt=0)
    alert_queue_age_seconds: float | None = Field(default=None, gt=0)  # HEALTH_QUEUE_AGE_SECONDS unless set
    alert_no_consumer_seconds: float = Field(default=60.0, gt=0)  # jobs wait so long and no worker lives
    alert_job_error_ratio: float | None = Field(default=None, gt=0, le=1)  # HEALTH_ERROR_RATIO unless set
    alert_job_min: int | None = Field(default=None, ge=1)  # HEALTH_MIN_CALLS unless set

    # Watching
    pagoda_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    pagoda_log_format: Literal["console", "json"] = "json"
    sentry_dsn: Annotated[SecretStr | None, AfterValidator(check_sentry_dsn)] = None
    sentry_environment: str | None = None  # PAGODA_ENV unless set
    sentry_release: str | None = None  # the installed version unless set
    flower_bind: Annotated[str, AfterValidator(check_bind)] = "127.0.0.1:5555"
    flower_url: str | None = None  # where people reach Flower, for links in jobs
    flower_basic_auth: SecretStr | None = None  # "user:password"; generated into the data folder unless set

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the four are pydantic-settings' names
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from `load_settings` alone, which reads one environment."""
        return (init_settings,)

    @field_validator(
        "enabled_plugins",
        "pagoda_allowed_hosts",
        "pagoda_csrf_trusted_origins",
        "pagoda_trusted_proxies",
        "pagoda_oidc_scopes",
        "pagoda_oidc_superusers",
        "breaker_pinned",
        "alert_silenced_plugins",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(dict.fromkeys(name for part in value.split(",") if (name := part.strip())))

    @field_validator("*")
    @classmethod
    def _is_fit_for_production(cls, value: object, info: ValidationInfo) -> object:
        if info.data.get("pagoda_env") == "production":
            fault = production_fault(str(info.field_name), value)
            if fault is not None:
                raise ValueError(fault)
        return value

    @field_validator("pagoda_oidc_client_id", "pagoda_oidc_client_secret")
    @classmethod
    def _goes_with_the_issuer(cls, value: object, info: ValidationInfo) -> object:
        if value is None and info.data.get("pagoda_oidc_issuer") is not None:
            raise ValueError("PAGODA_OIDC_ISSUER needs it, as the provider gave it for this client")
        return value

    @field_validator("job_hard_limit_seconds")
    @classmethod
    def _hard_above_soft(cls, value: float, info: ValidationInfo) -> float:
        soft = info.data.get("job_soft_limit_seconds")
        if soft is not None and value <= soft:
            raise ValueError(f"must be above JOB_SOFT_LIMIT_SECONDS ({soft:g})")
        return value

    @property
    def broker_account(self) -> str:
        """Return the account that this process has at the broker, "" where there are none."""
        return account_of(self.broker_url)

    @property
    def database_account(self) -> str:
        """Return the account that this process has at the database, "" where there are none."""
        return account_of(self.database_url)

    def make_data_dir(self) -> None:
        """Make the data folder and, when none is set, the key in it; commands that only read leave it out."""
        self.pagoda_data_dir.mkdir(parents=True, exist_ok=True)
        if self.pagoda_secret_key is None:
            stored_secret(self.pagoda_data_dir / "secret_key")

    def secret_key(self) -> str:
        """Return the key that signs sessions: the one in the data folder when none is set.

        Without either it is random, for a process that signs nothing which outlives it.
        """
        if self.pagoda_secret_key is not None:
            return self.pagoda_secret_key.get_secret_value()
        path = self.pagoda_data_dir / "secret_key"
        return stored_secret(path) if path.exists() else secrets.token_urlsafe(50)
