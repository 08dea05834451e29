from __future__ import annotations

from tools import suite_settings

suite_settings.use("pagoda.settings")
