from __future__ import annotations

from typing import Any

import pytest
from django.db.migrations.recorder import MigrationRecorder

from pagoda.health.checks import run_checks
from pagoda.jobs import runtime as job_runtime
from pagoda.plugins.registry import install, registry


def test_healthz_asks_nobody(anonymous: Any) -> None:
    # Without the database mark a query would fail the test.
    response = anonymous.get("/healthz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}
    assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.django_db(transaction=True)
class TestReadyz:
    def test_it_tells_each_check(self, anonymous: Any) -> None:
        response = anonymous.get("/readyz")

        body = response.json()
        assert response.status_code == 200, body
        assert body["status"] == "ok"
        assert list(body["checks"]) == ["database", "migrations", "broker", "registry"]
        assert all(check["status"] == "ok" for check in body["checks"].values())
        assert body["checks"]["registry"]["data"] == {"digest": registry().digest(), "plugins": {}}

    def test_migration_that_is_not_applied_makes_it_fail(self, anonymous: Any) -> None:
        recorder = MigrationRecorder.Migration.objects
        recorder.filter(app="job").delete()
        try:
            response = anonymous.get("/readyz")
        finally:
            from django.core.management import call_command

            call_command("migrate", "job", fake=True, verbosity=0)

        checks = response.json()["checks"]
        assert response.status_code == 503
        assert response.json()["status"] == "failed"
        assert checks["migrations"]["status"] == "failed"
        assert "job.0001_initial" in checks["migrations"]["text"]
        assert "Run `pagoda migrate`." in checks["migrations"]["text"]
        assert checks["database"]["status"] == "ok"

    def test_broker_that_is_gone_makes_it_fail(self, anonymous: Any) -> None:
        app = job_runtime.celery_app()
        options = app.conf.broker_transport_options
        app.conf.update(broker_transport_options={**options, "data_folder_out": "/nowhere"})
        try:
            response = anonymous.get("/readyz")
        finally:
            app.conf.update(broker_transport_options=options)

        assert response.status_code == 503
        assert response.json()["checks"]["broker"]["text"] == (
            "The broker's folder '/nowhere' does not exist or can't be written to."
        )

    def test_check_can_be_excluded(self, anonymous: Any) -> None:
        response = anonymous.get("/readyz?exclude=broker")

        assert response.status_code == 200
        assert list(response.json()["checks"]) == ["database", "migrations", "registry"]

    def test_unknown_check_can_not_be_excluded(self, anonymous: Any) -> None:
        response = anonymous.get("/readyz?exclude=brokr")

        assert response.status_code == 400
        assert response.json()["detail"] == (
            "There is no check 'brokr' to exclude. There are: database, migrations, broker, registry."
        )

    def test_a_parameter_that_nobody_reads_is_refused(self, anonymous: Any) -> None:
        response = anonymous.get("/readyz?exclud=broker")

        assert response.status_code == 400
        assert response.json()["detail"] == "There is no query parameter 'exclud'. There is: exclude."

    def test_registry_that_was_not_booted_makes_it_fail(self) -> None:
        booted = install(None)
        try:
            checks = {result.name: result for result in run_checks()}
        finally:
            install(booted)

        assert not checks["registry"].is_ok
        assert checks["database"].is_ok
