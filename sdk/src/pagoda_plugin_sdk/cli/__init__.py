"""`pagoda-plugin`: the command of plugin authors, from nothing to a published plugin."""

from pagoda_plugin_sdk.cli.app import main, run

__all__ = ["main", "run"]
