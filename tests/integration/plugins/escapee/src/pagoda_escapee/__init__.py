"""A plugin of the integration tests; see `pagoda_escapee.plugin`."""
