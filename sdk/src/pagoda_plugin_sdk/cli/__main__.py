"""Run the command as ``python -m pagoda_plugin_sdk.cli``."""

from pagoda_plugin_sdk.cli.app import run

run()
