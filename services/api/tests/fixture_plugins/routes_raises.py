"""URLs of a plugin whose module fails to import."""

raise RuntimeError("the licence server is away")
