"""The real host in the process of a test; the SDK's pytest plugin finds it by ``pagoda.testing``."""
