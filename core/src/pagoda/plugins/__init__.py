"""The plugin runtime: it finds, checks, loads and registers plugins."""
