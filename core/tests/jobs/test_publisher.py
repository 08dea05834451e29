from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from kombu import Producer, Queue

from pagoda.jobs import filebroker
from pagoda.jobs.publisher import HOLD_OFF_SECONDS, Message, Publisher

QUEUE = "plugin.shop"


def message(number: int, queue: str = QUEUE) -> Message:
    return Message(
        job_id=number,
        task_name="shop.restock",
        task_id=f"task-{number}",
        queue=queue,
        plugin="shop",
        user_id=7,
    )


def make_app(**settings: Any) -> Celery:
    app = Celery("test", set_as_current=False, fixups=[])
    app.conf.update(
        task_queues=[Queue(QUEUE, routing_key=QUEUE)], task_create_missing_queues=False, **settings
    )
    return app


@pytest.fixture
def app(tmp_path: Path) -> Celery:
    return make_app(
        broker_url="filesystem://",
        broker_transport=filebroker.TRANSPORT,
        broker_transport_options=filebroker.options(tmp_path),
        task_send_sent_event=True,
    )


@pytest.fixture
def dead_app() -> Iterator[Celery]:
    """An app whose broker's port nobody answers."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield make_app(
            broker_url=f"redis://127.0.0.1:{closed.getsockname()[1]}/0",
            broker_transport="pagoda.jobs.redisbroker:RedisTransport",
        )


class CountingPublisher(Publisher):
    tries = 0

    def _send(self, producer: Producer, messages: Sequence[Message]) -> None:
        self.tries += 1
        super()._send(producer, messages)


def received(app: Celery) -> list[Any]:
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue(app.amqp.queues[QUEUE])  # type: ignore[arg-type]  # stubs know names only
        found = []
        while queue.qsize():
            got = queue.get(timeout=5)
            got.ack()
            found.append(got)
        queue.close()
        return found


def test_messages_arrive_in_order_and_tell_of_their_job(app: Celery) -> None:
    publisher = Publisher(app)

    sent = publisher.publish([message(1), message(2)])

    assert sent == [message(1), message(2)]
    first, second = received(app)
    assert (first.headers["task"], first.headers["id"]) == ("shop.restock", "task-1")
    assert first.payload[1] == {"job_id": 1, "plugin": "shop", "user": 7}
    assert first.headers["kwargsrepr"] == "{'job_id': 1, 'plugin': 'shop', 'user': 7}"
    assert second.payload[1]["job_id"] == 2


def test_a_queue_is_bound_once_for_all_its_messages(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    bound: list[str] = []
    bind = Queue.bind

    def note(queue: Queue, channel: Any) -> Any:
        bound.append(queue.name)
        return bind(queue, channel)

    monkeypatch.setattr(Queue, "bind", note)
    publisher = Publisher(app)
    assert len(publisher.publish([message(number) for number in range(20)])) == 20
    assert bound == [QUEUE]
    assert publisher.depth(QUEUE) == 20


def test_depth_counts_what_waits(app: Celery) -> None:
    publisher = Publisher(app)
    publisher.publish([message(1), message(2)])

    assert publisher.depth(QUEUE) == 2


def test_what_the_account_may_not_send_is_left_out_and_the_rest_goes(app: Celery) -> None:
    publisher = Publisher(app, may_publish=lambda queue: queue == QUEUE)

    sent = publisher.publish([message(1, "core"), message(2), message(3, "plugin.other")])

    assert sent == [message(2)]
    assert [got.headers["id"] for got in received(app)] == ["task-2"]


def test_nothing_to_send_needs_no_broker(dead_app: Celery) -> None:
    assert Publisher(dead_app).publish([]) == []


def test_an_unknown_queue_sends_nothing(app: Celery) -> None:
    assert Publisher(app).publish([message(1, queue="plugin.typo")]) == []


def test_a_broker_that_is_away_raises_nothing_and_is_left_alone_for_a_while(dead_app: Celery) -> None:
    now = [100.0]
    publisher = CountingPublisher(dead_app, clock=lambda: now[0])

    assert publisher.publish([message(1)]) == []
    assert publisher.publish([message(1)]) == []
    assert publisher.tries == 1

    now[0] += HOLD_OFF_SECONDS
    assert publisher.publish([message(1)]) == []
    assert publisher.tries == 2

    publisher.resume()
    assert publisher.publish([message(1)]) == []
    assert publisher.tries == 3


def test_the_depth_of_a_broker_that_is_away_is_unknown(dead_app: Celery) -> None:
    assert Publisher(dead_app).depth(QUEUE) is None
