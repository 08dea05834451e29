from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from tools.chart.workloads import environment_of, pod_spec
from tools.restore_drill import BACKUP, ENTRIES, JOBS, DrillFault, _compare, drill
from tools.servers import missing_programs


@pytest.mark.skipif(bool(missing_programs()), reason="PostgreSQL is not installed")
def test_a_backup_comes_back_in_a_new_release() -> None:
    with tempfile.TemporaryDirectory(prefix="pagoda-restore-") as name:
        Path(name).chmod(0o755)
        assert f"{JOBS} waiting jobs came back" in drill(Path(name))


def test_a_cron_job_backs_up_as_the_owner_into_a_volume(rendered: Any) -> None:
    own = {"afterwards": "true", "existingClaim": "mine", "image": "mine:1"}
    documents = rendered({"backup": {"enabled": True}})
    process = environment_of(documents, "CronJob", "pagoda-backup")

    assert process.command == ("sh", "-euc", BACKUP.read_text(encoding="utf-8"))
    assert process.env["DATABASE_URL"].startswith("postgres://pagoda:")
    assert (process.env["BACKUP_FOLDER"], process.env["BACKUP_KEEP_DAYS"]) == ("/backups", "14")
    (claim,) = [d for d in documents if d["kind"] == "PersistentVolumeClaim"]
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    mine = rendered({"backup": {"enabled": True, **own}})
    (job,) = [d for d in mine if d["kind"] == "CronJob"]
    volumes = {volume["name"]: volume for volume in pod_spec(job)["volumes"]}
    assert volumes["backups"]["persistentVolumeClaim"] == {"claimName": "mine"}
    assert not [d for d in mine if d["kind"] == "PersistentVolumeClaim"]
    assert environment_of(mine, "CronJob", "pagoda-backup").env["BACKUP_AFTERWARDS"] == "true"
    assert not [d for d in rendered() if d["kind"] == "CronJob"]


def test_what_did_not_come_back_is_named() -> None:
    before = {"entry_entry": ENTRIES, "job_job": JOBS, "user_user": 2}

    _compare(before, before)
    with pytest.raises(DrillFault, match="user_user"):
        _compare(before, before | {"user_user": 1})
    with pytest.raises(DrillFault, match="differ"):
        _compare(before | {"job_job": 0}, before | {"job_job": 0})
