"""The `pagoda` command."""

from pagoda.cli.app import main, run

__all__ = ["main", "run"]
