"""Plugins of the integration tests that can not be loaded."""
