"""The accounts that processes have at the database and at the broker: their names, and their passwords."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from pagoda.errors import SettingsError

API = "pagoda_api"
DISPATCHER = "pagoda_dispatcher"
CORE = "pagoda_core"
FLOWER = "pagoda_flower"  # at the broker alone
PLUGIN_PREFIX = "pagoda_plugin_"

LONGEST_NAME = 63  # bytes; PostgreSQL cuts longer ones off in silence
SHORTEST_PASSWORD = 16


def plugin_account(plugin_id: str) -> str:
    """Return the name of the account of a plugin's workers; a digest stands in for an id that is too long."""
    return fitted(PLUGIN_PREFIX, plugin_id)


def fitted(prefix: str, text: str) -> str:
    """Return a name that servers take whole: `prefix` with `text`, or with a digest of a longer one."""
    name = f"{prefix}{text}"
    if len(name.encode()) <= LONGEST_NAME:
        return name
    return f"{prefix}{sha256(text.encode()).hexdigest()[: LONGEST_NAME - len(prefix)]}"


def read_passwords(folder: Path) -> dict[str, SecretStr]:
    """Return ``{account: password}`` of a folder with a file per account, called as the account is.

    White space around a password does not count. Hidden files, and what is no file, are left out.

    Raises:
        SettingsError: passwords are too short, or can't be read; the accounts are named, nothing is shown.
    """
    if not folder.is_dir():
        raise SettingsError([f"PAGODA_ACCOUNT_PASSWORDS_DIR is {str(folder)!r}, expected a folder."])
    found, faults = {}, []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue
        try:
            password = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"The password of account {path.name!r} can't be read: {type(error).__name__}.")
            continue
        if len(password) < SHORTEST_PASSWORD:
            faults.append(
                f"The password of account {path.name!r} has {len(password)} characters, expected "
                f"{SHORTEST_PASSWORD} at least."
            )
        found[path.name] = SecretStr(password)
    if faults:
        raise SettingsError(faults)
    return found


def account_of(url: SecretStr | str | None) -> str:
    """Return the account that a URL of a database or broker logs in with, "" for none, or what is no URL."""
    text = url.get_secret_value() if isinstance(url, SecretStr) else url or ""
    try:
        return unquote(urlsplit(text).username or "")
    except ValueError:
        return ""


def is_plugins(account: str) -> bool:
    """Return whether it is the account of a plugin's workers."""
    return account.startswith(PLUGIN_PREFIX)
