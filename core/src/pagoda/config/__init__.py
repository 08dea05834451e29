"""Settings, logging and error tracking of the host."""
