"""The example plugin of Pagoda."""
