"""What was done, by whom, on whose behalf and through which plugin: append-only and hash-chained."""
