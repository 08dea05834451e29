"""A whole scan, against a host in memory: what is stored, what is not, and what the job says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pagoda_inventory import tasks
from pagoda_inventory.facts import MachineFacts
from pagoda_inventory.packages import PackageScan
from pagoda_inventory.schema import FILESYSTEM, HOST, INTERFACE, PACKAGE
from pagoda_inventory.settings import InventorySettings
from pagoda_inventory.tasks import scan, take_stock
from pagoda_plugin_sdk import HookRejected, JobStatus, Plugin, PluginError
from pagoda_plugin_sdk.decorators import validation_hook
from pagoda_plugin_sdk.exceptions import JobCanceled
from pagoda_plugin_sdk.testing import FakeJob, MemoryHost, run_task

NOTHING: dict[str, dict[str, int]] = {
    "created": {},
    "updated": {},
    "unchanged": {},
    "gone": {},
    "refused": {},
}


def counts(result: dict[str, Any]) -> dict[str, Any]:
    return {key: result[key] for key in NOTHING}


def values(host: MemoryHost, entity_name: str, name: str) -> dict[str, Any]:
    return host.entry(entity_name, name).shown()


def stocked(facts: MachineFacts, job: FakeJob | None = None) -> dict[str, Any]:
    return take_stock(job or FakeJob(), facts)


def test_first_scan_creates_an_entry_of_everything(host: MemoryHost, make: Any) -> None:
    result = stocked(make.machine(make.package("app", "2.0", "lib"), make.package("lib")))

    created = {HOST: 1, INTERFACE: 2, FILESYSTEM: 1, PACKAGE: 2}
    assert counts(result) == NOTHING | {"created": created}
    assert (result["host"], result["entries"]) == ("web-1", 6)
    assert [(entry.schema.name, entry.name) for entry in host.entries] == [
        (HOST, "web-1"),
        (INTERFACE, "web-1/eth0"),
        (INTERFACE, "web-1/lo"),
        (FILESYSTEM, "web-1/"),
        (PACKAGE, "web-1/lib@/srv/app"),
        (PACKAGE, "web-1/app@/srv/app"),
    ]


def test_each_entry_is_written_by_one_change(host: MemoryHost, make: Any) -> None:
    stocked(make.machine(make.package("app", "2.0", "lib"), make.package("lib")))

    assert [change for change in host.changes if change[1]] == [
        ("create", entry.schema.name, entry.name) for entry in host.entries
    ]


def test_entries_hold_the_facts_and_refer_to_each_other(host: MemoryHost, make: Any) -> None:
    stocked(make.machine(make.package("app", "2.0", "lib"), make.package("lib", None)))

    reference = {"id": 1, "name": "web-1", "schema": {"id": 1, "name": HOST}}
    of_host = values(host, HOST, "web-1")
    assert abs(of_host.pop("last_seen") - datetime.now(UTC)) < timedelta(minutes=1)
    assert of_host == {
        "hostname": "web-1",
        "os": "Linux",
        "kernel": "6.12.0",
        "architecture": "x86_64",
        "cpu_count": 4,
        "memory_bytes": 8 * 2**30,
        "boot_time": datetime(2026, 3, 1, 8, 0, tzinfo=UTC),
        "python_version": "3.13.0",
        "present": True,
    }
    assert values(host, INTERFACE, "web-1/eth0") == {
        "host": reference,
        "interface": "eth0",
        "addresses": ["192.0.2.7"],
        "mac": "02:42:ac:11:00:02",
        "is_up": True,
        "mtu": 1500,
        "present": True,
    }
    assert values(host, FILESYSTEM, "web-1/")["host"] == reference
    app, lib = values(host, PACKAGE, "web-1/app@/srv/app"), values(host, PACKAGE, "web-1/lib@/srv/app")
    assert (app["host"], app["version"], lib["version"]) == (reference, "2.0", None)
    assert [needed["name"] for needed in app["requires"]] == ["web-1/lib@/srv/app"]


def test_second_scan_of_an_unchanged_machine_changes_nothing(host: MemoryHost, make: Any) -> None:
    facts = make.machine(make.package("app", "2.0", "lib"), make.package("lib", None))
    stocked(facts)
    changes, versions = list(host.changes), host.versions

    result = stocked(facts)

    assert counts(result) == NOTHING | {"unchanged": {HOST: 1, INTERFACE: 2, FILESYSTEM: 1, PACKAGE: 2}}
    assert (host.changes, host.versions) == (changes, versions)
    assert result["entries"] == 6


@pytest.mark.parametrize("number", [10, 300])
def test_number_of_queries_does_not_grow_with_the_entries(number: int, host: MemoryHost, make: Any) -> None:
    facts = make.machine(*(make.package(f"p{index}") for index in range(number)))

    for _ in range(2):
        before = host.reads
        stocked(facts)
        assert host.reads - before == 10  # 2 for the schema, 2 for each of 4 entities


def test_circle_of_packages_is_closed_after_all_are_stored(host: MemoryHost, make: Any) -> None:
    facts = make.machine(make.package("a", "1", "b"), make.package("b", "1", "a"))

    result = stocked(facts)

    assert result["created"][PACKAGE] == 2
    assert host.changes[-1] == ("update", PACKAGE, "web-1/a@/srv/app")
    for name, other in (("a", "b"), ("b", "a")):
        needed = values(host, PACKAGE, f"web-1/{name}@/srv/app")["requires"]
        assert [each["name"] for each in needed] == [f"web-1/{other}@/srv/app"]
    versions = host.versions
    assert stocked(facts)["unchanged"][PACKAGE] == 2
    assert host.versions == versions


def test_stored_package_that_joins_a_new_circle_counts_as_updated(host: MemoryHost, make: Any) -> None:
    stocked(make.machine(make.package("a")))

    result = stocked(make.machine(make.package("a", "1.0", "b"), make.package("b", "1.0", "a")))

    assert (result["updated"], result["created"]) == ({PACKAGE: 1}, {PACKAGE: 1})
    assert len(values(host, PACKAGE, "web-1/a@/srv/app")["requires"]) == 1


def test_what_changed_is_updated_and_nothing_else(host: MemoryHost, make: Any) -> None:
    stocked(make.machine(make.package("app", "1.0"), make.package("lib", "1.0")))
    changes, versions = len(host.changes), host.versions

    result = stocked(
        make.machine(make.package("app", "1.1"), make.package("lib", "1.0"), host=make.host(kernel="6.13.0"))
    )

    assert result["updated"] == {HOST: 1, PACKAGE: 1}
    assert host.changes[changes:] == [("update", HOST, "web-1"), ("update", PACKAGE, "web-1/app@/srv/app")]
    assert host.versions == versions + 2
    assert values(host, PACKAGE, "web-1/app@/srv/app")["version"] == "1.1"


def test_what_is_gone_is_marked_once_and_kept(host: MemoryHost, make: Any) -> None:
    stocked(make.machine(make.package("app"), make.package("lib")))
    less = make.machine(make.package("app"), interfaces=(make.interface("lo"),), filesystems=())

    result = stocked(less)

    assert result["gone"] == {INTERFACE: 1, FILESYSTEM: 1, PACKAGE: 1}
    assert result["entries"] == 3
    assert values(host, PACKAGE, "web-1/lib@/srv/app")["present"] is False
    assert host.entry(PACKAGE, "web-1/lib@/srv/app").is_active
    changes = list(host.changes)
    assert stocked(less)["gone"] == {}
    assert host.changes == changes


def test_what_is_back_is_marked_so(host: MemoryHost, make: Any) -> None:
    full = make.machine(make.package("app"))
    stocked(full)
    stocked(make.machine())

    result = stocked(full)

    assert result["updated"] == {PACKAGE: 1}
    assert values(host, PACKAGE, "web-1/app@/srv/app")["present"] is True


def test_other_hosts_are_left_alone(host: MemoryHost, make: Any) -> None:
    for hostname in ("web-1", "web-10"):
        stocked(make.machine(make.package("app"), host=make.host(hostname=hostname)))

    result = stocked(make.machine())

    assert result["gone"] == {PACKAGE: 1}
    assert values(host, PACKAGE, "web-10/app@/srv/app")["present"] is True
    assert values(host, PACKAGE, "web-10/app@/srv/app")["host"]["name"] == "web-10"


@pytest.mark.parametrize(("seconds", "updated"), [(1, {}), (-90, {}), (600, {HOST: 1})])
def test_time_of_boot_may_waver_but_not_move(
    seconds: int, updated: dict[str, int], host: MemoryHost, make: Any
) -> None:
    facts = make.machine()
    stocked(facts)
    later = facts.host.boot_time + timedelta(seconds=seconds)

    assert stocked(make.machine(host=make.host(boot_time=later)))["updated"] == updated


def test_packages_that_are_not_looked_for_stay_as_they_are(host: MemoryHost, make: Any) -> None:
    stocked(make.machine(make.package("app")))

    result = stocked(make.machine(packages=None))

    assert (result["gone"], result["entries"]) == ({}, 4)
    assert values(host, PACKAGE, "web-1/app@/srv/app")["present"] is True


def test_packages_beyond_the_limit_are_not_taken_for_gone(host: MemoryHost, make: Any) -> None:
    app, lib = make.package("app"), make.package("lib")
    stocked(make.machine(app, lib))

    result = stocked(make.machine(packages=PackageScan(packages=(app,), left_out=(lib,))))

    assert result["gone"] == {}


def test_long_name_is_cut_and_found_again(host: MemoryHost, make: Any) -> None:
    facts = make.machine(make.package("x" * 300), make.package("x" * 301))
    stocked(facts)

    result = stocked(facts)

    assert result["unchanged"][PACKAGE] == 2
    assert max(len(entry.name) for entry in host.entries) == 200


class Picky(Plugin):
    id = "picky"
    name = "Picky"

    @validation_hook()
    def refuse(self, user: Any, schema_name: str, name: str, attrs: Any, instance: Any) -> None:
        if "forbidden" in name:
            raise HookRejected("Plugin 'picky': not this one.")


@pytest.fixture
def picky(host: MemoryHost) -> MemoryHost:
    host.register(Picky())
    return host


def test_entry_that_is_refused_costs_no_other(picky: MemoryHost, make: Any) -> None:
    job = FakeJob()

    result = stocked(
        make.machine(make.package("forbiddenfruit"), make.package("app", "1.0", "forbiddenfruit")), job
    )

    assert (result["refused"], result["created"][PACKAGE], result["entries"]) == ({PACKAGE: 1}, 1, 5)
    assert job.log.messages("warning") == [
        "PythonPackage 'web-1/forbiddenfruit@/srv/app' is refused: Plugin 'picky': not this one."
    ]
    assert job.end is not None
    assert (job.end.status, job.end.text) == (JobStatus.WARNING, "Refused entries: 1, see the log")
    assert job.end.result == result


def test_refused_mark_of_what_is_gone_costs_no_other(host: MemoryHost, make: Any) -> None:
    stocked(make.machine(make.package("forbidden"), make.package("lib")))
    host.register(Picky())

    result = stocked(make.machine())

    assert (result["gone"], result["refused"]) == ({PACKAGE: 1}, {PACKAGE: 1})


def test_value_that_the_host_refuses_costs_no_other(host: MemoryHost, make: Any) -> None:
    job = FakeJob()
    facts = make.machine(make.package("app", "not a version"), make.package("lib"))

    result = stocked(facts, job)

    assert (result["refused"], result["created"][PACKAGE]) == ({PACKAGE: 1}, 1)
    assert job.log.messages("warning") == [
        (
            "PythonPackage 'web-1/app@/srv/app' is refused: Attribute 'version' is 'not a version', "
            "expected a PEP 440 version such as '1.2.3' or '2.0rc1'."
        )
    ]


def test_scan_without_its_host_s_entry_fails(picky: MemoryHost, make: Any) -> None:
    with pytest.raises(PluginError) as caught:
        stocked(make.machine(host=make.host(hostname="forbidden")))

    assert str(caught.value) == (
        "The entry of host 'forbidden' can't be stored, so nothing can refer to it. "
        "The job's log says who refused it."
    )


def test_remarks_about_packages_are_in_the_log(host: MemoryHost, make: Any) -> None:
    job = FakeJob()

    stocked(make.machine(packages=PackageScan(packages=(), remarks=("odd version",))), job)

    assert job.log.messages("warning") == ["odd version"]
    assert job.log.messages("info") == ["4 entries of web-1 are in stock"]
    assert job.end is None


def test_progress_rises_to_the_end(host: MemoryHost, make: Any) -> None:
    job = FakeJob()

    stocked(make.machine(*(make.package(f"p{index}") for index in range(40))), job)

    percents = [percent for percent, _ in job.progressed]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (5, 100)
    assert len(percents) == 7  # reading, one in ten of 44 entries, done
    assert all(text for _, text in job.progressed)


@pytest.mark.parametrize("checkpoint", [1, 3])
def test_cancelled_scan_stops_at_the_next_checkpoint_and_can_be_repeated(
    checkpoint: int, host: MemoryHost, make: Any
) -> None:
    facts = make.machine(*(make.package(f"p{index:02}") for index in range(40)))

    with pytest.raises(JobCanceled):
        stocked(facts, FakeJob(cancel_at_checkpoint=checkpoint))

    assert len(host.entries) == (checkpoint - 1) * 10
    assert stocked(facts)["entries"] == len(host.entries) == 44


def test_task_scans_this_machine_as_its_settings_say(host: MemoryHost) -> None:
    job = FakeJob(settings=InventorySettings(max_packages=3, skip_filesystem_types=frozenset()))
    begin = datetime.now(UTC)

    result = run_task(scan, job)

    assert result["created"][HOST] == 1
    assert result["created"][PACKAGE] == 3
    assert begin <= datetime.fromisoformat(result["scanned_at"]) <= datetime.now(UTC)
    assert job.progressed[:1] == [(0, "Looking at the machine")]
    assert any("the first 3 are taken" in message for message in job.log.messages("warning"))


def test_second_scan_of_what_has_not_changed_changes_nothing(
    host: MemoryHost, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = make.machine(make.package("app", "2.0", "lib"), make.package("lib"))
    monkeypatch.setattr(tasks, "take_facts", lambda *_args, **_kwargs: facts)
    settings = InventorySettings(max_packages=50)
    first = run_task(scan, FakeJob(settings=settings))
    changes = list(host.changes)

    second = run_task(scan, FakeJob(settings=settings))

    assert host.changes == changes
    assert second["unchanged"] == first["created"]


def test_task_without_packages_leaves_them_out(host: MemoryHost) -> None:
    job = FakeJob(settings=InventorySettings(include_packages=False))

    assert PACKAGE not in run_task(scan, job)["created"]


def test_who_asks_may_leave_packages_out(host: MemoryHost) -> None:
    job = FakeJob(settings=InventorySettings(), params={"include_packages": False})

    assert PACKAGE not in run_task(scan, job)["created"]


def test_user_of_the_job_writes_the_entries(host: MemoryHost, make: Any) -> None:
    user = host.user("root", is_superuser=True)
    seen: list[Any] = []

    class Witness(Plugin):
        id = "witness"
        name = "Witness"

        @validation_hook()
        def see(self, user: Any, schema_name: str, name: str, attrs: Any, instance: Any) -> None:
            seen.append(user)

    host.register(Witness())
    stocked(make.machine(), FakeJob(user=user))

    assert seen == [user] * 4
