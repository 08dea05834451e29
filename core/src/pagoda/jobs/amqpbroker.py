"""Kombu's AMQP transport, which inflates no message."""

from __future__ import annotations

import sys
from typing import Any

from kombu.transport import pyamqp

from pagoda.jobs.foreign_messages import MessageRefused, require_plain, require_size

TRANSPORT = f"{__name__}:AmqpTransport"
"""Its name for Celery's ``broker_transport``."""


class AmqpMessage(pyamqp.Message):
    """A message that carries why it is refused in place of a body; consumers are told of it as of others."""

    def __init__(self, msg: Any, channel: Any = None, **kwargs: Any) -> None:
        headers = msg.properties.get("application_headers")
        try:
            require_size(len(msg.body))
            require_plain(headers)
        except MessageRefused:
            msg.body = b""
            msg.properties["application_headers"] = {}
            super().__init__(msg, channel=channel, **kwargs)
            self.errors = [sys.exc_info()]
        else:
            super().__init__(msg, channel=channel, **kwargs)


class AmqpChannel(pyamqp.Channel):
    """A channel of such messages."""

    Message = AmqpMessage


class AmqpConnection(pyamqp.Connection):
    """A connection of such channels."""

    Channel = AmqpChannel


class AmqpTransport(pyamqp.Transport):
    """The transport over them."""

    Connection = AmqpConnection
