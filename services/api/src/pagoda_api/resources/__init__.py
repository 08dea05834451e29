"""The resources of the API, a module each: entities, entries, jobs, plugins, logging in, health."""
