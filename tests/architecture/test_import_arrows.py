from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = ("sdk", "core", "services/api", "services/worker", "plugins/hello-world", "plugins/inventory")
WRONG_ARROWS = [
    pytest.param("sdk/src/pagoda_plugin_sdk", "import pagoda", "services -> core -> sdk", id="sdk-to-core"),
    pytest.param("core/src/pagoda", "import pagoda_api", "services -> core -> sdk", id="core-to-service"),
    pytest.param(
        "services/api/src/pagoda_api", "import pagoda_worker", "services independent", id="api-to-worker"
    ),
    pytest.param(
        "plugins/inventory/src/pagoda_inventory", "import pagoda", "plugins -> sdk", id="plugin-to-core"
    ),
    pytest.param(
        "plugins/inventory/src/pagoda_inventory",
        "import pagoda_hello_world",
        "plugins never import each other",
        id="plugin-to-plugin",
    ),
    pytest.param(
        "services/worker/src/pagoda_worker",
        "def late() -> None:\n    import pagoda_inventory",
        "host and sdk never import a plugin",
        id="late-import-of-plugin",
    ),
    pytest.param(
        "core/src/pagoda/domain",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pagoda.jobs",
        "core: cli",
        id="domain-to-jobs-for-typing",
    ),
    pytest.param("core/src/pagoda/hooks", "import pagoda.plugins", "core: cli", id="hooks-to-plugins"),
    pytest.param(
        "core/src/pagoda/domain/entry",
        "import pagoda.domain.bulk",
        "domain: bulk -> entry",
        id="entry-to-bulk",
    ),
]


def lint_imports(root: Path, sources: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts against the sources below the given folder."""
    path = os.pathsep.join(str(sources / folder / "src") for folder in SOURCES)
    command = [
        *(
            sys.executable,
            "-c",
            "import sys; from importlinter.cli import lint_imports_command as c; sys.exit(c())",
        ),
        *("--config", str(root / ".importlinter"), "--no-cache"),
    ]
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "200"}
    return subprocess.run(command, cwd=sources, env=environment, capture_output=True, text=True, check=False)


def verdicts(output: str) -> dict[str, str]:
    """Return KEPT or BROKEN by contract."""
    return dict(re.findall(r"^(.+?) (KEPT|BROKEN)", output, flags=re.MULTILINE))


def test_every_arrow_points_the_right_way(root: Path) -> None:
    result = lint_imports(root, root)
    assert result.returncode == 0, result.stdout + result.stderr
    assert set(verdicts(result.stdout).values()) == {"KEPT"}


def test_every_contract_says_its_purpose(root: Path) -> None:
    sections = (root / ".importlinter").read_text(encoding="utf-8").split("\n\n")
    contracts = [section for section in sections if "[importlinter:contract:" in section]
    assert len(contracts) == 6
    assert [section.splitlines()[0] for section in contracts if not section.startswith("# ")] == []


@pytest.fixture(scope="module")
def told(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is told of each broken contract, where the sources have a module more for each wrong arrow."""
    sources = tmp_path_factory.mktemp("wrong")
    for folder in SOURCES:
        shutil.copytree(root / folder / "src", sources / folder / "src")
    for case in WRONG_ARROWS:
        package, code, _ = map(str, case.values)
        (sources / package / f"{wrong_module(case.id)}.py").write_text(code + "\n", encoding="utf-8")
    result = lint_imports(root, sources)
    assert result.returncode == 1, result.stdout + result.stderr
    _, _, broken = result.stdout.partition("\nBroken contracts\n")
    return dict(re.findall(r"^(.+)\n-{5,}\n((?:.*\n(?!.+\n-{5,}\n))*)", broken, flags=re.MULTILINE))


def wrong_module(case: object) -> str:
    return f"wrong_{case}".replace("-", "_")


@pytest.mark.parametrize(("package", "code", "contract"), WRONG_ARROWS)
def test_wrong_arrow_breaks_its_contract(
    request: pytest.FixtureRequest, told: dict[str, str], package: str, code: str, contract: str
) -> None:
    module = f"{package.partition('/src/')[2].replace('/', '.')}.{wrong_module(request.node.callspec.id)}"
    imported = code.rpartition("import ")[2]
    broken = [name for name, what in told.items() if f" {module} -> {imported} (" in what]
    assert any(contract in name for name in broken), told
