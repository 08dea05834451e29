"""Write docs/openapi.json: the schema of the host's own API, without plugins.

make openapi
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import django
from django.core.management import call_command

PATH = Path(__file__).parents[1] / "docs" / "openapi.json"


def main() -> None:
    """Write it anew, with nothing of the surroundings in it."""
    with tempfile.TemporaryDirectory(prefix="pagoda-openapi-") as folder:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "pagoda_api.settings",
            "PAGODA_ENV_FILE": "",
            "PAGODA_DATA_DIR": folder,
            "ENABLED_PLUGINS": "",
        }
        django.setup()
        call_command("spectacular", format="openapi-json", file=str(PATH), validate=True, fail_on_warn=True)
    print(f"wrote {PATH.name}")


if __name__ == "__main__":
    main()
