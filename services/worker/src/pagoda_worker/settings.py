"""Django settings of the worker: the host's, as a worker serves jobs and nothing else."""

from pagoda.config.django import build
from pagoda.config.loading import load_settings

_settings = load_settings()
_settings.make_data_dir()
globals().update(build(_settings))
