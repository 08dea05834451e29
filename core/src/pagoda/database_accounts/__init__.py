"""Accounts at PostgreSQL: what the host's processes and each plugin's worker may do there."""
