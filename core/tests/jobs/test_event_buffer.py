from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pagoda.jobs.event_buffer import BUFFER_LIMIT, FLUSH_SECONDS, EventBuffer


class Hub:
    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[..., Any], tuple[Any, ...]]] = []

    def call_later(self, seconds: float, callback: Callable[..., Any], *args: Any) -> None:
        self.waiting.append((seconds, callback, args))

    def pass_time(self) -> None:
        waiting, self.waiting = self.waiting, []
        for _, callback, args in waiting:
            callback(*args)


class Dispatcher:
    buffer_limit = 24
    on_send_buffered: Any = None
    flushes = 0

    def flush(self) -> None:
        self.flushes += 1


class Consumer:
    def __init__(self, hub: Hub | None) -> None:
        self.hub = hub
        self.event_dispatcher: Dispatcher | None = Dispatcher()


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def consumer(hub: Hub) -> Consumer:
    return Consumer(hub)


def test_many_events_are_flushed_together(consumer: Consumer, hub: Hub) -> None:
    EventBuffer(consumer).start(consumer)
    dispatcher = consumer.event_dispatcher
    assert dispatcher is not None

    for _ in range(10):
        dispatcher.on_send_buffered()
    assert (dispatcher.flushes, [seconds for seconds, _, _ in hub.waiting]) == (0, [FLUSH_SECONDS])
    hub.pass_time()
    dispatcher.on_send_buffered()
    hub.pass_time()

    assert (dispatcher.flushes, dispatcher.buffer_limit) == (2, BUFFER_LIMIT)


def test_what_is_left_goes_out_when_the_worker_stops(consumer: Consumer) -> None:
    step = EventBuffer(consumer)
    step.start(consumer)

    step.stop(consumer)

    assert consumer.event_dispatcher is not None
    assert consumer.event_dispatcher.flushes == 1


def test_a_flush_after_the_dispatcher_is_gone_does_nothing(consumer: Consumer, hub: Hub) -> None:
    EventBuffer(consumer).start(consumer)
    dispatcher = consumer.event_dispatcher
    assert dispatcher is not None
    dispatcher.on_send_buffered()
    consumer.event_dispatcher = None

    hub.pass_time()

    assert dispatcher.flushes == 0


def test_without_an_event_loop_nothing_is_changed() -> None:
    consumer = Consumer(None)

    EventBuffer(consumer).start(consumer)

    assert consumer.event_dispatcher is not None
    assert consumer.event_dispatcher.on_send_buffered is None
