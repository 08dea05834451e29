"""An upgrade from the release before under load, with images of both: nothing is lost or done twice."""

from __future__ import annotations

import os
from collections.abc import Iterator

import docker
import pytest
from docker.errors import ImageNotFound
from testcontainers.core.network import Network

from tests.integration.stage.engine import API_IMAGE, BEFORE, IMAGES_BEFORE, WORKER_IMAGE
from tests.integration.stage.load import Load
from tests.integration.stage.promises import Promises
from tests.integration.stage.servers import Postgres, Redis
from tests.integration.stage.stack import Stack
from tests.integration.stage.traffic import Traffic

SIDE_BY_SIDE = 60  # requests answered in each state of the upgrade
RETIRED = ("dispatcher", "worker-trial")


@pytest.fixture
def old(network: Network, postgres: Postgres, redis: Redis) -> Iterator[Stack]:
    """Run the release before on a database that it has made itself."""
    reason = _missing()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    if reason:
        pytest.skip(reason)
    with Stack(network, postgres, postgres.copy_of("template0"), redis, images=IMAGES_BEFORE) as stack:
        stack.migrate()
        stack.start_api()
        stack.start_api("api-old-2")
        stack.start_worker("trial")
        stack.start_dispatcher()
        stack.wait_ready()
        yield stack


def _missing() -> str | None:
    if not BEFORE:
        return "PAGODA_BEFORE is not set: `make test-integration` finds the release before in git's history"
    client = docker.from_env()
    try:
        for image in IMAGES_BEFORE:
            client.images.get(image)
    except ImageNotFound as error:
        return f"{error.explanation}; `make test-integration` builds it"
    finally:
        client.close()
    return None


def test_an_upgrade_from_the_release_before_under_load(old: Stack, promise: Promises) -> None:
    traffic, held = Traffic(old), old.containers
    traffic.serve(held["api"])
    traffic.serve(held["api-old-2"])
    with traffic.running():
        traffic.pass_by(SIDE_BY_SIDE)
        old.api_image, old.worker_image = API_IMAGE, WORKER_IMAGE
        old.run_to_end("pagoda", "migrate")
        traffic.pass_by(SIDE_BY_SIDE)  # the old release alone, on the new schema

        new = old.start_api("api-new")
        old.start_dispatcher("dispatcher-new")
        old.start_worker("trial", "worker-new")
        old.wait_answering("api-new")
        traffic.serve(new)
        traffic.pass_by(2 * SIDE_BY_SIDE)  # both of everything

        for name in RETIRED:
            held[name].get_wrapped_container().stop(timeout=60)
        traffic.retire(held["api-old-2"])
        traffic.pass_by(SIDE_BY_SIDE)

        old.api_image = IMAGES_BEFORE[0]  # a rollback: the old image starts on the new schema
        back = old.start_api("api-back")
        old.wait_answering("api-back")
        traffic.serve(back)
        traffic.pass_by(SIDE_BY_SIDE)
        for name in ("api-back", "api"):
            traffic.retire(held[name])
        traffic.pass_by(SIDE_BY_SIDE)

    assert traffic.wrong == []
    assert set(traffic.answers) <= {"200", "201", "202", "503 told to wait"}
    assert traffic.read_back() == traffic.values
    hosts = {
        host for (host,) in old.rows("SELECT DISTINCT host FROM pagoda_trial_trace WHERE what = 'effect'")
    }
    assert hosts == {old.host_of("worker-trial"), old.host_of("worker-new")}
    jobs = Load(old, traffic.jobs).assert_recovered()
    old.api_image = API_IMAGE
    repaired = old.run_to_end("pagoda", "entries", "verify", "--repair").strip()
    old.run_to_end("pagoda", "entries", "verify")
    old.run_to_end("pagoda", "audit", "seal")
    old.run_to_end("pagoda", "audit", "verify")
    answered = ", ".join(f"{count}x {answer}" for answer, count in sorted(traffic.answers.items()))
    promise(
        f"upgrade from {BEFORE} under load",
        f"{answered}; longest wait {traffic.longest_wait:.1f} s; {len(traffic.values)} entries read back; "
        f"jobs: {jobs}; {repaired.splitlines()[-1]}",
    )
