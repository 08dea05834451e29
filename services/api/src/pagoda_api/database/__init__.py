"""Django's PostgreSQL, for a server of requests: see `base`, which is the name that Django looks for."""
