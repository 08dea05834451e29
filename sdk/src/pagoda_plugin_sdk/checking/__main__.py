"""Examine a project in a process of its own: ``python -m pagoda_plugin_sdk.checking FOLDER REPORT``.

Its code may print, start threads and end the process: the report goes to a file, and the process just ends.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path

from pagoda_plugin_sdk.checking.examining import examine

folder, report = map(Path, sys.argv[1:])
values, ranges = (
    json.loads(os.environ.get(name) or "{}") for name in ("PLUGIN_SETTINGS", "PLUGIN_OPERATION_ID_CONFIG")
)
report.write_text(json.dumps(dataclasses.asdict(examine(folder, values, ranges))), encoding="utf-8")
sys.stdout.flush()
os._exit(0)
