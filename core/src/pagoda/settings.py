"""Django settings of the host without a service: migrations, the shell and the `pagoda` command."""

from pagoda.config.django import build
from pagoda.config.loading import load_settings

globals().update(build(load_settings()))
