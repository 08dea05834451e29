"""Sends the messages of jobs to the broker, within a short time or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol

import structlog
from celery import Celery
from celery.utils.nodenames import anon_nodename
from kombu import Connection, Producer, Queue
from kombu.exceptions import KombuError
from kombu.pools import ProducerPool

from pagoda.config.accounts import is_plugins, plugin_account

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 1.0
"""Longest wait for a connection; a request waits twice that at worst, once per `HOLD_OFF_SECONDS`."""

HOLD_OFF_SECONDS = 5.0
"""After a failure nobody tries again for this long: the dispatcher publishes what was left."""

POOL_SIZE = 10
"""Connections per process, opened as they are needed."""

_BOUNDED = {
    "max_retries": 0,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
    "connect_retries_timeout": CONNECT_SECONDS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What goes over the broker for one job."""

    job_id: int
    task_name: str
    task_id: str
    queue: str
    plugin: str
    user_id: int | None


class MessagePublisher(Protocol):
    """Where messages go out."""

    def publish(self, messages: Sequence[Message]) -> list[Message]:
        """Send messages and return those sent; never raise."""
        ...

    def depth(self, queue: str) -> int | None:
        """Return how many messages wait in `queue`, None when that is not known."""
        ...

    def resume(self) -> None:
        """Try again at the next call, whatever failed before."""
        ...


@dataclass(slots=True)
class Publisher:
    """Publishes for one process through Celery. Safe between threads, and after a fork."""

    app: Celery
    clock: Callable[[], float] = time.monotonic
    may_publish: Callable[[str], bool] = lambda _queue: True
    _pool: ProducerPool | None = None
    _pool_lock: Lock = field(default_factory=Lock)
    _closed_until: float = float("-inf")
    _origin: str = field(default_factory=anon_nodename)

    def publish(self, messages: Sequence[Message]) -> list[Message]:
        """Send messages over one connection and return them, or none of them after a failure.

        Messages to queues that this process's account may not send to are left out. A failure is logged and
        never raised: the dispatcher publishes later what did not go out; what goes out twice is claimed once.
        """
        messages = [message for message in messages if self.may_publish(message.queue)]
        if not messages or self.clock() < self._closed_until:
            return []
        try:
            with self._producer() as producer:
                self._send(producer, messages)
        except Exception as error:  # noqa: BLE001 - a broker's client raises anything
            self._closed_until = self.clock() + HOLD_OFF_SECONDS
            log.warning("jobs_not_published", jobs=len(messages), error=repr(error))
            return []
        return list(messages)

    def depth(self, queue: str) -> int | None:
        """Return how many messages wait in `queue`, None when the broker does not tell."""
        try:
            with self._producer() as producer:
                channel: Any = producer.channel  # kombu-stubs know no channel's methods
                return int(channel.queue_declare(queue=queue, passive=True).message_count)
        except Exception as error:  # noqa: BLE001 - as above; not knowing means publishing again, which is safe
            log.debug("queue_depth_unknown", queue=queue, error=repr(error))
            return None

    def resume(self) -> None:
        """Try again at the next call, whatever failed before."""
        self._closed_until = float("-inf")

    def _send(self, producer: Producer, messages: Sequence[Message]) -> None:
        connection: Any = producer.connection  # typed as possibly absent, which it is not in a pool
        try:
            self._send_all(producer, messages)
        except (*connection.recoverable_connection_errors, KombuError):
            connection.collect()  # the broker restarted since it was used last
            producer.revive(connection)
            self._send_all(producer, messages)

    def _send_all(self, producer: Any, messages: Sequence[Message]) -> None:  # kombu's stubs lack `batch`
        names = {message.queue for message in messages}
        # Bound once: a third of the time of a message would go into binding its queue
        queues = {name: self.app.amqp.queues[name].bind(producer.channel) for name in names}
        with producer.batch():  # one round trip for messages and events, where the broker can do that
            for message in messages:
                self._send_one(producer, message, queues[message.queue])

    def _send_one(self, producer: Producer, message: Message, queue: Queue) -> None:
        amqp = self.app.amqp
        kwargs = {"job_id": message.job_id, "plugin": message.plugin, "user": message.user_id}
        body = amqp.create_task_message(
            message.task_id,
            message.task_name,
            kwargs=kwargs,
            argsrepr="()",
            kwargsrepr=repr(kwargs),  # Celery's own way to these takes longer than the rest
            origin=self._origin,
            ignore_result=True,
            create_sent_event=self.app.conf.task_send_sent_event,
        )
        amqp.send_task_message(producer, message.task_name, body, queue=queue, retry=False)

    @contextmanager
    def _producer(self) -> Iterator[Producer]:
        with self._pool_lock:
            if self._pool is None:
                self._pool = self._make_pool()
        with self._pool.acquire(block=True, timeout=2 * CONNECT_SECONDS) as producer:
            yield producer

    def _make_pool(self) -> ProducerPool:
        conf = self.app.conf
        options: dict[str, Any] = {**conf.broker_transport_options, **_BOUNDED}
        url = str(conf.broker_write_url)
        if url.startswith("redis"):
            options |= {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": CONNECT_SECONDS}
        elif url.startswith("amqp"):
            options |= {"read_timeout": CONNECT_SECONDS, "write_timeout": CONNECT_SECONDS}
        connection = Connection(
            url,
            transport=conf.broker_transport,
            transport_options=options,
            ssl=conf.broker_use_ssl or False,
            connect_timeout=CONNECT_SECONDS,
        )
        return ProducerPool(connection.Pool(limit=POOL_SIZE), limit=POOL_SIZE)


def may_publish(account: str, queue: str, *, scheme: str) -> bool:
    """Return whether a process with this account may send messages to a queue.

    RabbitMQ's default exchange leads to all queues or none, so a plugin's worker publishes nothing there.
    """
    if not is_plugins(account):
        return True
    is_own = queue.startswith("plugin.") and plugin_account(queue.removeprefix("plugin.")) == account
    return is_own and not scheme.startswith("amqp")
