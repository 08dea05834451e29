"""Celery's consumer of a worker, which takes messages of jobs of its queue and nothing else.

The job's row is the truth: of a message count the job's id, the task's name and what Flower shows. All else
that Celery would follow (callbacks, time limits, when to run, where to reply) is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from celery.worker.consumer import Consumer
from django.db import DatabaseError, connections
from vine import promise as vine_promise

from pagoda.jobs.foreign_messages import MessageRefused, refuse
from pagoda_plugin_sdk.washing import washed
from pagoda_worker import runner

LONGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMessage:
    """What a message says."""

    job_id: int
    task: str
    task_id: str
    origin: str
    seen: dict[str, Any]  # the arguments as Flower shows them

    @classmethod
    def of(cls, message: Any) -> JobMessage:
        """Return what a message of kombu's says.

        Raises:
            MessageRefused: it has not the form that the publisher gives it.
        """
        headers = message.headers
        if not isinstance(headers, dict):
            raise MessageRefused("it has no headers")
        if message.content_type != "application/json" or message.content_encoding != "utf-8":
            raise MessageRefused(f"its content is {message.content_type!r}, {message.content_encoding!r}")
        kwargs = _kwargs(message.body)
        job_id, plugin, user = kwargs.get("job_id"), kwargs.get("plugin", ""), kwargs.get("user")
        if type(job_id) is not int or not 0 < job_id <= LONGEST_ID:
            raise MessageRefused("its job_id is no id")
        if type(plugin) is not str or type(user) not in (int, type(None)):
            raise MessageRefused("its plugin is no text, or its user no id")
        return cls(
            job_id=job_id,
            task=_text(headers, "task"),
            task_id=_text(headers, "id"),
            origin=_text(headers, "origin"),
            seen={"job_id": job_id, "plugin": washed(plugin, 200), "user": user},
        )

    def write_over(self, message: Any, queue: str) -> None:
        """Leave in kombu's message what was read of it, addressed to the queue that it came from."""
        message.headers = {
            "lang": "py",
            "task": self.task,
            "id": self.task_id,
            "root_id": self.task_id,
            "argsrepr": "()",
            "kwargsrepr": repr(self.seen),
            "origin": self.origin,
            "ignore_result": True,
        }
        message.body = json.dumps([[], self.seen, {}])
        kept = ("delivery_tag", "body_encoding")  # for a broker without a protocol of its own
        info = message.delivery_info | {"exchange": "", "routing_key": queue}
        message.delivery_info = info
        message.properties = {name: message.properties[name] for name in kept if name in message.properties}
        message.properties |= {"correlation_id": self.task_id, "delivery_info": info}


def consumer_of(queue: str, tasks: Collection[str]) -> type[Consumer]:
    """Return the consumer of a worker that serves these tasks of a queue."""

    class JobConsumer(Consumer):
        """Celery's, with a gate before it."""

        connection: Any  # the stubs lack what these have, and the second
        strategies: dict[str, Any]
        connection_errors: tuple[type[BaseException], ...]

        def update_strategies(self) -> None:
            super().update_strategies()
            for name in self.strategies.keys() - set(tasks):
                del self.strategies[name]

        def create_task_handler(self, promise: Any = vine_promise) -> Callable[[Any], None]:
            handle = super().create_task_handler(promise)
            broken = (*self.connection_errors, *self.connection.channel_errors)

            def receive(message: Any) -> None:
                try:
                    said = JobMessage.of(message)
                    if said.task not in self.strategies:
                        raise MessageRefused(_unknown(said, queue))
                    said.write_over(message, queue)
                    handle(message)
                except broken:
                    raise
                except Exception as error:  # noqa: BLE001 - the fence: no message ends a worker
                    self.on_decode_error(message, error)

            return receive

        def on_decode_error(self, message: Any, exc: BaseException) -> None:
            fault = exc if isinstance(exc, MessageRefused) else f"{type(exc).__name__}: {exc}"
            refuse(queue, fault)
            if not message.acknowledged:
                message.ack()

    return JobConsumer


def _unknown(said: JobMessage, queue: str) -> str:
    """Return why a task's message is refused; its job, if there is one in the queue, is told to wait."""
    fault = f"task {said.task!r} is none of this worker's"
    try:
        is_held = runner.hold_unknown(said.job_id, said.task, queue=queue)
    except DatabaseError as error:  # the dispatcher sends the message again
        return f"{fault}; {type(error).__name__}"
    finally:
        connections.close_all()  # a fork must not copy the one that it used
    return f"{fault}; job {said.job_id} waits" if is_held else f"{fault}, nor has it job {said.job_id}"


def _kwargs(body: object) -> dict[str, Any]:
    try:
        content = json.loads(body) if isinstance(body, str | bytes) else None
    except (ValueError, RecursionError) as error:
        raise MessageRefused(f"its body is no JSON ({type(error).__name__})") from error
    if not isinstance(content, list) or len(content) != 3:
        raise MessageRefused("its body is not of the form [args, kwargs, embedded]")
    args, kwargs = content[:2]
    if args != [] or not isinstance(kwargs, dict) or not kwargs.keys() <= {"job_id", "plugin", "user"}:
        raise MessageRefused("its arguments are not those of a job")
    return kwargs


def _text(headers: dict[str, Any], name: str) -> str:
    text = headers.get(name)
    if not isinstance(text, str) or not text:
        raise MessageRefused(f"its header {name!r} is no text")
    return washed(text, 300)
