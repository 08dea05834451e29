"""`make up`: serve the API on 8000 and Flower on 5555 with all workers, until ctrl-c.

The data stay in ``.pagoda/``. Settings of the environment and of ``.env`` are kept; what they leave open is
set for the plugins of this repository.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from pathlib import Path

import httpx

from pagoda.config.loading import load_settings
from pagoda.config.secret_file import stored_secret
from pagoda.config.settings import Settings
from pagoda_plugin_sdk.exceptions import PagodaError
from pagoda_worker.flower import credentials

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tools.stack import (  # noqa: E402 - the path is set first: this file is run as a script
    ADMIN,
    DEMO_PLUGINS,
    POLL_SECONDS,
    Stack,
    StackError,
    interrupt_on_signals,
    is_free,
    is_ready,
    prepare,
)

READY_SECONDS = 90.0
PASSWORD_FILE = "admin_password"  # noqa: S105 - the file's name


def main() -> int:
    """Serve until a signal; return the exit status."""
    interrupt_on_signals()
    try:
        complete_environment()
        settings = load_settings()
    except PagodaError as error:
        print(error, file=sys.stderr)
        return 2
    stack = Stack(settings.pagoda_data_dir, os.environ, say)
    try:
        with stack:
            start(stack, settings)
            while True:
                stack.check()
                time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        say("stopped; `make up` goes on with the same data")
        return 0
    except (StackError, PagodaError) as error:
        say(f"{stack.tails()}\nup failed: {error}")
        return 1


def complete_environment() -> None:
    """Set what the environment and ``.env`` leave open, for this process and those it starts."""
    settings = load_settings()
    asked = {name.upper() for name in settings.model_fields_set}
    plugins = {} if "ENABLED_PLUGINS" in asked else DEMO_PLUGINS  # others have other operations
    chosen = {**plugins, "FLOWER_URL": f"http://{settings.flower_bind}", "PYTHONUNBUFFERED": "1"}
    os.environ.update({name: value for name, value in chosen.items() if name not in asked})


def start(stack: Stack, settings: Settings) -> None:
    """Start everything and say where it is."""
    for bind in (settings.api_bind, settings.flower_bind):
        if not is_free(bind):
            raise StackError(f"{bind} is taken by another process: end it, or set API_BIND and FLOWER_BIND")
    password = stored_secret(stack.data_dir / PASSWORD_FILE)
    prepare(stack, password)
    stack.start("api", "pagoda_api.cli", "serve")
    stack.start("workers", "pagoda_worker.cli", "up")
    stack.start("flower", "pagoda_worker.cli", "flower")
    with httpx.Client(base_url=f"http://{settings.api_bind}", timeout=10) as client:
        stack.wait_for("/readyz", lambda: is_ready(client), READY_SECONDS)
    tell(stack, settings, password)


def tell(stack: Stack, settings: Settings, password: str) -> None:
    """Print the URLs and the logins."""
    api, flower = f"http://{settings.api_bind}", settings.flower_url or f"http://{settings.flower_bind}"
    user, flower_password = credentials(settings)
    say(
        f"""
console        {api}/                login {ADMIN} / {password}
API            {api}/api/v2/
documentation  {api}/api/v2/docs/
admin          {api}/admin/
Flower         {flower}/                login {user} / {flower_password}
data and logs  {stack.data_dir}

to ask the API, get a token and send it along:
  curl -H 'Content-Type: application/json' {api}/api/v2/auth/token/ \\
       -d '{{"username": "{ADMIN}", "password": "{password}"}}'
  curl {_example(settings).format(api=api, headers="-H 'Authorization: Token ...'")}

to look at it from another terminal, give commands the same plugins:
  {_plugins(settings)} pagoda plugins list

ctrl-c stops it
"""
    )


def _example(settings: Settings) -> str:
    """Return options for curl that ask the API: to scan this machine where a plugin does that."""
    if "inventory" in settings.enabled_plugins:
        return "-X POST {headers} {api}/api/v2/plugins/inventory/scan/"
    return "{headers} {api}/api/v2/plugins/"


def _plugins(settings: Settings) -> str:
    """Return what a shell has to set to have the plugins that are served, wherever that is set here."""
    plugins, numbers = ",".join(settings.enabled_plugins), json.dumps(settings.plugin_operation_id_config)
    return f"ENABLED_PLUGINS={shlex.quote(plugins)} PLUGIN_OPERATION_ID_CONFIG={shlex.quote(numbers)}"


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
