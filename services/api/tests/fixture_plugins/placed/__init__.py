"""A plugin with places in the console: panels that are fine, and others that go wrong in every way."""
