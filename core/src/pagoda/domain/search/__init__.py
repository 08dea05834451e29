"""Finding entries: conditions, orders and pages under the rights of who asks."""
