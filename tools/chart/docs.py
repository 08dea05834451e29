"""`make chart-docs`: write what is made from values.yaml, settings, accounts; --check tells what is old."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pagoda.jobs import broker_accounts
from tools.chart.readme import filled, tables
from tools.chart.rendering import CHART
from tools.chart.schema import schema
from tools.chart.values_file import ValuesFault, read

ROOT = CHART.parents[2]
PLUGIN_ID = "PLUGIN_ID"


def made() -> dict[Path, str]:
    """Return ``{file: the text it should have}``.

    Raises:
        ValuesFault: values.yaml lacks something.
    """
    values = read(CHART / "values.yaml")
    readme = CHART / "README.md"
    return {
        CHART / "files" / "redis_accounts.json": json.dumps(redis_accounts(), indent=2) + "\n",
        CHART / "values.schema.json": json.dumps(schema(values), indent=2) + "\n",
        readme: filled(readme.read_text(encoding="utf-8"), tables(values)),
    }


def redis_accounts() -> dict[str, str]:
    """Return ``{account: its rules at Redis}``; all plugins have one, with a mark in place of the id."""
    *hosts, plugin = broker_accounts.accounts([PLUGIN_ID])
    return {account.name: " ".join(account.redis) for account in hosts} | {"plugin": " ".join(plugin.redis)}


def old() -> list[str]:
    """Return the files that were not made from today's sources."""
    return [
        path.relative_to(ROOT).as_posix()
        for path, text in made().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> None:
    """Write the files, or check them with ``--check``."""
    try:
        if arguments == ["--check"]:
            if found := old():
                sys.exit(
                    f"chart-docs: {', '.join(found)} are old; run `make chart-docs`, then commit the result"
                )
            return
        for path, text in made().items():
            path.write_text(text, encoding="utf-8")
    except ValuesFault as error:
        sys.exit(f"chart-docs: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
