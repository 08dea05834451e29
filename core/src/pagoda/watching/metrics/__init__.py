"""Prometheus metrics; names and labels are in docs/observability.md, and bounded."""
