from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, resource, sys
from pagoda.config.limits import ChildLimits, apply
apply(ChildLimits(**json.loads(sys.argv[1])))
kinds = ("CORE", "NOFILE", "FSIZE", "DATA")
print(json.dumps({kind: resource.getrlimit(getattr(resource, f"RLIMIT_{kind}")) for kind in kinds}))
"""
EAT = """
for size in (150, 400):
    try:
        b"x" * (size * 1024 * 1024)
    except MemoryError:
        print(size, "refused")
    else:
        print(size, "taken")
"""
MEGABYTE = 1024 * 1024


def limits_of_child(program: str = PROGRAM, **limits: int | None) -> str:
    command = [sys.executable, "-c", program, json.dumps(limits)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_child_gets_its_limits_and_no_core_dump() -> None:
    seen = json.loads(limits_of_child(memory_mb=900, open_files=256, file_mb=3))
    data_mb = seen.pop("DATA")[0] // MEGABYTE
    assert seen == {"CORE": [0, 0], "NOFILE": [256, 256], "FSIZE": [3 * MEGABYTE] * 2}
    assert 900 < data_mb < 1200  # what an interpreter has, and the limit


def test_limit_is_never_raised_above_the_inherited_one() -> None:
    lowered = PROGRAM.replace(
        "import json, resource, sys",
        "import json, resource, sys\nresource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))",
    )
    assert json.loads(limits_of_child(lowered, open_files=4096))["NOFILE"] == [128, 128]


def test_none_leaves_what_is_inherited() -> None:
    before = json.loads(limits_of_child(PROGRAM.replace("apply(", "repr("), memory_mb=None))
    after = json.loads(limits_of_child(memory_mb=None, open_files=None, file_mb=None))
    assert {kind: after[kind] for kind in ("NOFILE", "FSIZE", "DATA")} == {
        kind: before[kind] for kind in ("NOFILE", "FSIZE", "DATA")
    }


def test_too_much_memory_raises_in_the_child_instead_of_killing_the_machine() -> None:
    program = PROGRAM + EAT
    assert limits_of_child(program, memory_mb=200).splitlines()[1:] == ["150 taken", "400 refused"]
