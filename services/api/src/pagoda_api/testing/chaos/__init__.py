"""`pagoda-plugin chaos`: a plugin's handlers and tasks on the real host, under what the host can do to them.

Each try is a process of its own on a copy of one database, so that it may be cut off, hang or die.
"""

from pagoda_api.testing.chaos.trying import tried

__all__ = ["tried"]
