"""The settings: defaults, faults listed together, secrets kept out of messages."""

import re
from pathlib import Path

import pytest

from pagoda.config.django import database
from pagoda.config.loading import load_settings
from pagoda.config.settings import Settings
from pagoda.errors import SettingsError

ROOT = Path(__file__).parents[3]

BAD_VALUES = [
    (
        "PAGODA_CSRF_TRUSTED_ORIGINS",
        "pagoda.example.org",
        "'pagoda.example.org' is no origin; expected scheme",
    ),
    ("PAGODA_CSRF_TRUSTED_ORIGINS", "https://a.example.org,*", "'*' is no origin; expected scheme and host"),
    (
        "PAGODA_CSRF_TRUSTED_ORIGINS",
        "https://a.example.org/cmdb",
        "'https://a.example.org/cmdb' is no origin",
    ),
    ("PAGODA_ENV", "prod", "PAGODA_ENV is 'prod': input should be 'development' or 'production'."),
    ("API_WORKERS", "two", "API_WORKERS is 'two': input should be a valid integer"),
    ("API_WORKERS", "0", "API_WORKERS is '0': input should be greater than or equal to 1."),
    ("API_BIND", "8000", "API_BIND is '8000': expected host:port, such as 127.0.0.1:8000."),
    ("PLUGIN_OPERATION_ID_CONFIG", "{oops", "PLUGIN_OPERATION_ID_CONFIG is '{oops': is no JSON object"),
    ("PLUGIN_OPERATION_ID_CONFIG", "[1]", "PLUGIN_OPERATION_ID_CONFIG is [1]: input should be a valid dict"),
    (
        "PLUGIN_WORKER_CONFIG",
        '{"a": {"concurency": 2}}',
        "PLUGIN_WORKER_CONFIG['a']['concurency'] is 2: extra",
    ),
    ("PLUGIN_EXAMPLES_DIR", "/no/such/dir", "PLUGIN_EXAMPLES_DIR is '/no/such/dir': path does not point to"),
    ("JOB_HARD_LIMIT_SECONDS", "5", "JOB_HARD_LIMIT_SECONDS is '5': must be above JOB_SOFT_LIMIT_SECONDS"),
    ("DATABASE_URL", "mysql://u:hunter2@h/x", "DATABASE_URL: has the scheme 'mysql'; expected a URL such as"),
    ("DATABASE_URL", "postgres:///x", "DATABASE_URL: names no host"),
    ("DATABASE_URL", "postgres://u:hunter2@a:5432,b:port/x", "DATABASE_URL: is not a URL"),
    ("DATABASE_URL", "postgres://u:hunter2@a,:5432/x", "DATABASE_URL: names no host"),
    ("DATABASE_POOLING", "statement", "DATABASE_POOLING is 'statement'"),
    ("BROKER_URL", "redis://h:port/0", "BROKER_URL: is not a URL"),
    (
        "PAGODA_OIDC_ISSUER",
        "login.example.org",
        "PAGODA_OIDC_ISSUER is 'login.example.org': expected the prov",
    ),
    ("SENTRY_DSN", "hunter2", "SENTRY_DSN: is no DSN; expected https://key@host/project"),
    ("PLUGIN_SETTINGS", "hunter2", "PLUGIN_SETTINGS: is no JSON object"),
    (
        "PAGODA_PLUGIN_STRIKT",
        "1",
        "PAGODA_PLUGIN_STRIKT is not a setting. Did you mean 'PAGODA_PLUGIN_STRICT'",
    ),
]


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("postgres://u:a,b@one:5433/d", "one", 5433, None),
        ("postgres://u:a,b@one,two:5433,[::1]:7/d", "one,two,::1", "5432,5433,7", "read-write"),
        ("postgresql://one:1,two:2/d?target_session_attrs=primary", "one,two", "1,2", "primary"),
    ],
)
def test_a_database_may_have_several_hosts(url: str, host: str, port: int | str, target: str | None) -> None:
    made = database(load_settings({"DATABASE_URL": url}))
    assert (made["HOST"], made["PORT"], made["NAME"]) == (host, port, "d")
    assert made["OPTIONS"].get("target_session_attrs") == target


def test_nothing_of_a_session_is_kept_behind_a_pooler_of_transactions() -> None:
    url = {"DATABASE_URL": "postgres://u:p@h/d"}
    alone, pooled = (
        database(load_settings(url | {"DATABASE_POOLING": how})) for how in ("session", "transaction")
    )
    assert (alone["OPTIONS"]["prepare_threshold"], alone["DISABLE_SERVER_SIDE_CURSORS"]) == (5, False)
    assert (pooled["OPTIONS"]["prepare_threshold"], pooled["DISABLE_SERVER_SIDE_CURSORS"]) == (None, True)


def test_an_empty_environment_gives_the_embedded_default() -> None:
    settings = load_settings({})
    assert (settings.database_url, settings.broker_url) == (None, None)
    assert settings.enabled_plugins == ()


def test_lists_are_split_and_each_name_is_kept_once() -> None:
    assert load_settings({"ENABLED_PLUGINS": " a, b ,,a"}).enabled_plugins == ("a", "b")


def test_maps_are_json() -> None:
    settings = load_settings({"PLUGIN_OPERATION_ID_CONFIG": '{"a": [200, 299]}'})
    assert settings.plugin_operation_id_config == {"a": [200, 299]}


def test_an_empty_variable_is_not_set() -> None:
    assert load_settings({"DATABASE_URL": "", "API_WORKERS": " "}).api_workers == 2


@pytest.mark.parametrize(("name", "value", "message"), BAD_VALUES)
def test_a_wrong_value_is_named(name: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: value})
    assert message in str(caught.value)


def test_all_faults_are_listed_together_without_secrets() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: value for name, value, _ in BAD_VALUES})
    assert len(caught.value.faults) == len({name for name, _, _ in BAD_VALUES})
    assert "hunter2" not in str(caught.value)


PRODUCTION = {
    "PAGODA_ENV": "production",
    "PAGODA_OIDC_CLIENT_ID": "pagoda",
    "PAGODA_OIDC_CLIENT_SECRET": "s",
    "PAGODA_SECRET_KEY": "k" * 32,
    "DATABASE_URL": "postgres://u:p@h/d",
    "BROKER_URL": "redis://h/0",
}
UNSAFE = [
    (
        "PAGODA_SECRET_KEY",
        "",
        "PAGODA_SECRET_KEY is not set: PAGODA_ENV=production needs 32 characters",
    ),
    ("PAGODA_SECRET_KEY", "hunter2" * 4, "PAGODA_SECRET_KEY: has 28 characters, where PAGODA_ENV=production"),
    ("DATABASE_URL", "", "DATABASE_URL is not set: PAGODA_ENV=production needs one, such as postgres://"),
    ("BROKER_URL", "", "BROKER_URL is not set: PAGODA_ENV=production needs one, such as redis://"),
    (
        "PAGODA_OIDC_ISSUER",
        "http://login.example.org",
        "PAGODA_OIDC_ISSUER is 'http://login.example.org': who",
    ),
    ("PAGODA_DEBUG", "true", "PAGODA_DEBUG is 'true': it would show code and settings"),
    ("PAGODA_ALLOWED_HOSTS", "*", "PAGODA_ALLOWED_HOSTS is '*': whoever asks could choose the host of links"),
    ("PAGODA_ALLOWED_HOSTS", "cmdb.example.org, *", "PAGODA_ALLOWED_HOSTS is 'cmdb.example.org, *': whoever"),
    ("PAGODA_TRUSTED_PROXIES", "10.0.0.0/8,0.0.0.0/0", "PAGODA_TRUSTED_PROXIES is '10.0.0.0/8,0.0.0.0/0'"),
    (
        "PAGODA_TRUSTED_PROXIES",
        "::/0",
        "PAGODA_TRUSTED_PROXIES is '::/0': whoever asks could name any",
    ),
]


@pytest.mark.parametrize(("name", "value", "message"), UNSAFE)
def test_production_does_not_start_with_what_is_unsafe(name: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({**PRODUCTION, name: value})
    (fault,) = caught.value.faults
    assert fault.startswith(message)
    assert "hunter2" not in fault


def test_an_issuer_takes_its_client_with_it() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"PAGODA_OIDC_ISSUER": "https://login.example.org/"})
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "PAGODA_OIDC_CLIENT_ID is not set",
        "PAGODA_OIDC_CLIENT_SECRET is not set",
    ]


def test_production_lists_all_that_is_unsafe_with_other_faults() -> None:
    unsafe = {name: value for name, value, _ in UNSAFE}
    with pytest.raises(SettingsError) as caught:
        load_settings({**PRODUCTION, **unsafe, "API_WORKERS": "0", "PAGODA_DEBUGG": "1"})
    assert len(caught.value.faults) == len(unsafe) + 2


def test_production_starts_with_what_is_safe() -> None:
    safe = {"PAGODA_ALLOWED_HOSTS": ".example.org", "PAGODA_TRUSTED_PROXIES": "10.0.0.0/8"}
    assert load_settings({**PRODUCTION, **safe}).pagoda_env == "production"


def test_the_worker_of_a_plugin_needs_no_key_in_production() -> None:
    url = "postgres://pagoda_plugin_greeter:hunter2@h/x"
    without_key = {**PRODUCTION, "PAGODA_SECRET_KEY": ""}

    first, other = (load_settings({**without_key, "DATABASE_URL": url}) for _ in range(2))

    assert first.database_account == "pagoda_plugin_greeter"
    assert len(first.secret_key()) > 40
    assert first.secret_key() != other.secret_key()
    with pytest.raises(SettingsError, match="PAGODA_SECRET_KEY is not set"):
        load_settings({**without_key, "DATABASE_URL": url.replace("pagoda_plugin_greeter", "pagoda_api")})


def test_development_is_not_asked() -> None:
    asked = {name: value for name, value, _ in UNSAFE if value}
    assert load_settings({**PRODUCTION, **asked, "PAGODA_ENV": "development"}).pagoda_debug


def test_secrets_do_not_print() -> None:
    settings = load_settings({"PAGODA_SECRET_KEY": "hunter2", "DATABASE_URL": "postgres://u:hunter2@h/d"})
    assert "hunter2" not in repr(settings)
    assert settings.secret_key() == "hunter2"


def test_the_generated_key_is_kept(tmp_path: Path) -> None:
    settings = load_settings({"PAGODA_DATA_DIR": str(tmp_path / "data")})
    passing = settings.secret_key()
    assert not (tmp_path / "data").exists()
    settings.make_data_dir()
    first, again = settings.secret_key(), settings.secret_key()
    assert passing != first
    assert len(first) > 40
    assert again == first


def test_the_example_names_every_setting_and_no_other() -> None:
    named = set(re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))
    assert named == {name.upper() for name in Settings.model_fields}


def test_the_example_shows_the_defaults() -> None:
    text = (ROOT / ".env.example").read_text()
    values = dict(re.findall(r"^([A-Z0-9_]+)=(.*)$", text, flags=re.MULTILINE))
    assert load_settings(values) == load_settings({})


SOURCES = [
    path.read_text(encoding="utf-8")
    for folder in ("sdk/src", "core/src", "services/api/src", "services/worker/src")
    for path in (ROOT / folder).rglob("*.py")
]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_is_read_and_documented(name: str) -> None:
    assert any(re.search(rf"\.{name}\b", source) for source in SOURCES), f"nothing reads {name.upper()}"
    example = (ROOT / ".env.example").read_text()
    explained = re.search(rf"^#.*\n(?:[A-Z0-9_]+=.*\n)*?{name.upper()}=", example, flags=re.MULTILINE)
    assert explained, f"no comment in .env.example stands above {name.upper()}"


def test_a_setting_that_nothing_reads_is_seen() -> None:
    assert not any(re.search(r"\.plugin_colour\b", source) for source in SOURCES)
