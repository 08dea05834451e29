"""Make a Python client of the API out of its OpenAPI schema, that of the demo's plugins included.

make client
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import django
from django.core.management import call_command

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools.stack import DEMO_PLUGINS

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".client" / "pagoda_client"  # not committed: the schema is, and it says all
CONFIG = "content_type_overrides:\n  application/x-ndjson: application/octet-stream\n"


def main() -> None:
    """Write it anew."""
    with tempfile.TemporaryDirectory(prefix="pagoda-client-") as name:
        schema, config = Path(name) / "schema.json", Path(name) / "config.yaml"
        config.write_text(CONFIG, encoding="utf-8")
        os.environ |= DEMO_PLUGINS | {
            "DJANGO_SETTINGS_MODULE": "pagoda_api.settings",
            "PAGODA_ENV_FILE": "",
            "PAGODA_DATA_DIR": name,
            "PAGODA_LOG_LEVEL": "ERROR",
        }
        django.setup()
        call_command("spectacular", format="openapi-json", file=str(schema))
        FOLDER.parent.mkdir(exist_ok=True)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it formats with our ruff
        subprocess.run(
            (
                *(sys.executable, "-m", "openapi_python_client", "generate", "--path", schema),
                *("--output-path", FOLDER, "--overwrite", "--meta", "none", "--config", config),
                "--fail-on-warning",
            ),
            env=os.environ | {"PATH": path},
            stdout=subprocess.DEVNULL,
            check=True,
        )
    (FOLDER / "py.typed").touch()
    print(f"wrote {FOLDER.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
