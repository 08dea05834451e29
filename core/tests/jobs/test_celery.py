from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.core.exceptions import ImproperlyConfigured
from pydantic import SecretStr

from pagoda.config.settings import Settings
from pagoda.jobs import celery, filebroker


def settings(tmp_path: Path, broker: str | None = None, **fields: Any) -> Settings:
    return Settings(pagoda_data_dir=tmp_path, broker_url=SecretStr(broker) if broker else None, **fields)


@pytest.fixture
def app(tmp_path: Path) -> Celery:
    return celery.make_app(settings(tmp_path), plugin_ids=["hello-world", "shop"])


def test_every_queue_is_declared_up_front(app: Celery) -> None:
    assert sorted(app.amqp.queues) == ["core", "plugin.hello-world", "plugin.shop"]
    with pytest.raises(KeyError):
        _ = app.amqp.queues["plugin.typo"]


def test_the_app_is_as_jobs_need_it(app: Celery) -> None:
    celery.assert_configuration(app)

    conf = app.conf
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost, conf.worker_prefetch_multiplier) == (
        True,
        True,
        1,
    )
    assert (conf.accept_content, conf.task_serializer) == (["json"], "json")
    assert not conf.result_backend
    assert (conf.task_send_sent_event, conf.worker_send_task_events) == (True, True)
    assert conf.worker_soft_shutdown_timeout == 20.0
    assert conf.get("CELERY_DB_REUSE_MAX") == 1_000_000


def test_everything_that_is_off_is_listed(app: Celery) -> None:
    app.conf.update(
        task_acks_late=False,
        worker_prefetch_multiplier=4,
        accept_content=["pickle"],
        worker_soft_shutdown_timeout=0.0,
        task_queues=[],
    )

    with pytest.raises(ImproperlyConfigured) as raised:
        celery.assert_configuration(app)

    assert str(raised.value).splitlines() == [
        "Celery has 5 setting(s) that jobs can't run on:",
        "  - accept_content is ['pickle'], expected ['json']",
        "  - task_acks_late is False, expected True",
        "  - worker_prefetch_multiplier is 4, expected 1",
        "  - task_queues are [], expected 'core' among them",
        "  - worker_soft_shutdown_timeout is 0, expected a positive number of seconds",
    ]


def test_the_embedded_broker_is_a_folder(app: Celery, tmp_path: Path) -> None:
    assert app.conf.broker_url == "filesystem://"
    assert app.conf.broker_transport == filebroker.TRANSPORT
    assert (tmp_path / "broker" / "queues").is_dir()


def test_a_folder_may_be_named(tmp_path: Path) -> None:
    app = celery.make_app(settings(tmp_path, f"filesystem://{tmp_path}/elsewhere"))

    assert app.conf.broker_transport_options["data_folder_in"] == str(tmp_path / "elsewhere" / "queues")


def test_redis_keeps_no_book_of_what_workers_have(tmp_path: Path) -> None:
    app = celery.make_app(settings(tmp_path, "redis://host:6379/0"))

    assert app.conf.broker_transport_options["ack_emulation"] is False
    celery.assert_configuration(app)


def test_redis_over_tls_checks_certificates(tmp_path: Path) -> None:
    app = celery.make_app(settings(tmp_path, "rediss://host:6379/0"))

    assert app.conf.broker_use_ssl["ssl_cert_reqs"].name == "CERT_REQUIRED"


def test_rabbitmq_confirms_what_it_takes(tmp_path: Path) -> None:
    app = celery.make_app(settings(tmp_path, "amqp://user:secret@host:5672//"))

    assert app.conf.broker_transport_options == {"confirm_publish": True}
    celery.assert_configuration(app)
