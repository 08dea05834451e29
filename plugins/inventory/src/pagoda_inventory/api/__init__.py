"""The plugin's API."""
