"""The README's examples, run in order as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

README = Path(__file__).parent.parent / "README.md"


def test_examples_run_as_they_stand() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    namespace: dict[str, Any] = {"__name__": "readme"}

    for block in blocks:
        exec(compile(block, str(README), "exec"), namespace)  # our own file

    assert len(blocks) == 4
    assert namespace["RackPlugin"]().get_info()["hooks"] == [
        "entry.before_create",
        "entry.get_attrs",
        "entry.validate",
    ]
    assert namespace["host"].changes == [("create", "", "Rack"), ("create", "Rack", "a-1")]
