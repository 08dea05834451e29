"""Messages of AMQP that are refused before they are inflated, and whose tasks a queue's worker knows."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from amqp import Message as WireMessage
from kombu import Connection
from pydantic import SecretStr

from pagoda.jobs import amqpbroker, celery, operations, runtime
from pagoda.jobs.foreign_messages import MESSAGE_MAX_BYTES, MessageRefused
from pagoda.jobs.testing import plugin_tasks
from pagoda_plugin_sdk.tasks import plugin_task


def came(body: bytes, headers: Any) -> Any:
    wire = WireMessage(
        body, content_type="application/json", content_encoding="utf-8", application_headers=headers
    )
    wire.delivery_info = {"delivery_tag": 1}
    return amqpbroker.AmqpMessage(wire, channel=None)


@pytest.mark.parametrize(
    ("body", "headers", "fault"),
    [
        (gzip.compress(b"0" * 10_000_000), {"compression": "application/x-gzip"}, "compressed"),
        (b"[]", {"compression": "zlib"}, "compressed"),
        (b"0" * (MESSAGE_MAX_BYTES + 1), {}, "bytes"),
        (b"[]", ["x"], "headers"),
    ],
)
def test_amqp_inflates_no_message_and_says_why(body: bytes, headers: Any, fault: str) -> None:
    message = came(body, headers)
    assert message.body == b""
    with pytest.raises(MessageRefused, match=fault):
        message._reraise_error()


@pytest.mark.parametrize("headers", [None, {}, {"task": "core.canary", "compression": None}])
def test_amqp_takes_a_plain_message(headers: Any) -> None:
    message = came(b"[]", headers)
    assert (message.body, message.errors) == (b"[]", [])
    assert message.payload == []


def test_amqp_makes_such_messages() -> None:
    settings = runtime.host_settings().model_copy(update={"broker_url": SecretStr("amqp://127.0.0.1:9//")})
    app = celery.make_app(settings)
    transport: Any = Connection("amqp://", transport=app.conf.broker_transport).transport
    assert transport.Connection.Channel.Message is amqpbroker.AmqpMessage
    assert app.conf.worker_enable_remote_control is False


def test_a_queue_s_worker_knows_the_tasks_of_its_plugin_alone() -> None:
    @plugin_task(0)
    def count(job: Any) -> None: ...

    shared = {"core.canary", "core.run_deferred_hook"}
    with plugin_tasks("shop", [count]):
        assert operations.tasks_of("plugin.shop") == {"shop.count"} | shared
        assert operations.tasks_of("plugin.other") == shared
        assert "shop.count" not in operations.tasks_of("core")
        assert operations.tasks_of("core") > shared
