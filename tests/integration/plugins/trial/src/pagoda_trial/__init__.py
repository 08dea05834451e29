"""A plugin of the integration tests; see `pagoda_trial.plugin`."""
