"""``python -m pagoda.cli``: the `pagoda` command."""

from pagoda.cli import run

run()
