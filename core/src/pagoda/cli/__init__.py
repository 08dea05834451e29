"""The `pagoda` command."""

from pagoda.cli.app import main

__all__ = ["main"]
