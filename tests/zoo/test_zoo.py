"""All plugins of the zoo at once in a real Pagoda: it starts, serves, and names every fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.stack import is_ready
from tools.zoo import ZooHost, exercise, host, id_range_fault
from tools.zoo_expectations import ENVIRON, FOLDER, ID_RANGES, ZOO, Expected

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZooHost]:
    """A host with API and workers whose plugins have all done wrong, until their breakers opened."""
    with host(tmp_path_factory.mktemp("zoo"), ENVIRON, workers=True) as started:
        exercise(started)
        yield started
        started.client.close()


@pytest.fixture(scope="module")
def plugins(zoo: ZooHost) -> list[Mapping[str, Any]]:
    return zoo.plugins()


@pytest.mark.parametrize("expected", ZOO, ids=lambda expected: expected.plugin)
def test_the_status_of_a_plugin_names_its_fault(plugins: list[Mapping[str, Any]], expected: Expected) -> None:
    assert expected.missed(expected.seen(plugins)) is None


def test_the_host_is_ready_and_what_it_stores_is_whole(zoo: ZooHost) -> None:
    assert is_ready(zoo.client) is None
    entries = zoo.checked("GET", "/api/v2/entries/?entity=Cage", 200)["results"]
    assert sorted(entry["name"] for entry in entries) == ["cage 0", "cage 1", "cage 2"]


def test_a_job_of_a_plugin_out_of_service_stays_queued_with_the_reason(zoo: ZooHost) -> None:
    def held() -> str | None:
        jobs = zoo.checked("GET", "/api/v2/jobs/?plugin=zoo-task-dies", 200)["results"]
        reasons = [job.get("hold_reason") or "" for job in jobs]
        found = any("out of service, as they failed too often" in reason for reason in reasons)
        return None if found else f"no job is held: {jobs}"

    zoo.stack.poll("a held job", held, 30)
    assert held() is None


@pytest.mark.parametrize("fault", ID_RANGES)
def test_faults_of_operation_ids_stop_the_start(tmp_path: Path, fault: str) -> None:
    code, text = id_range_fault(ID_RANGES[fault], tmp_path)
    assert code != 0
    assert "PLUGIN_OPERATION_ID_CONFIG has 1 fault(s)" in text


def test_every_plugin_of_the_folder_is_expected() -> None:
    folders = {folder.name for folder in FOLDER.iterdir() if folder.is_dir()}
    assert folders == {expected.plugin for expected in ZOO} | {"zoo-id-range"}
