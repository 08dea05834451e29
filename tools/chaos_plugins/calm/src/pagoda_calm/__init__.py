"""The neighbour of a plugin that floods its queue."""
