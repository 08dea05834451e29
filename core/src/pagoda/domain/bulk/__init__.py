"""Many writes of entries at once: all or none, or each by itself."""
