"""What schemathesis has to know of the host: whom a request may not end, and what no schema foretells.

It loads this file by itself, in its own process.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import httpx
import schemathesis

CHECK: Final = "ST202"
"""Schemathesis' code of a refusal of data that suits the schema; no other check has exceptions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unforeseen:
    """A refusal that depends on more than the request."""

    reason: str
    said: str  # a pattern of the message

    def is_it(self, message: str) -> bool:
        """Return whether a message is this refusal."""
        return re.match(self.said, message, re.DOTALL) is not None


UNFORESEEN: Final = (
    Unforeseen(
        reason="rows, plugins and switches that are not there, or not for the user",
        said=r"There is no (entity|entry|attribute|user|group|role|permission|attr|queue|field|status) "
        r"|There is no operation |Entity .* has no (removed )?attribute |.* which does not exist"
        r"|No enabled plugin is called "
        r"|The entity has no attribute with the id |Entry .* has no version |.* is no switch",
    ),
    Unforeseen(
        reason="Unicode's tables say what nobody sees, and white space of theirs is none",
        said=r"(The name|A choice).* (contains a (line break|character)|is blank|has no character)"
        r"|This field may not be blank|Null characters are not allowed",
    ),
    Unforeseen(
        reason="the type of an attribute, which one that is there may leave out, or a condition only names",
        said=r"'(choices|default_value|on_delete|referral)'|A select needs |The type of |`.+`: expected ",
    ),
    Unforeseen(
        reason="OpenAPI has no words for parameters that exclude each other",
        said=r"It can't be answered for the past |Ask about exactly one of |Give `cursor` or `offset`",
    ),
    Unforeseen(
        reason="the clock, the token that is sent, and the longest lifetime that the operator allows",
        said=r"The lifetime of token |It would last longer |They are wider than "
        r"|Entry .* was not made yet at |.* is not past yet",
    ),
    Unforeseen(
        reason="the other attributes that are there, or are sent",
        said=r"The attribute with the id .* is in the list twice|Entity .* has an attribute .* already",
    ),
    Unforeseen(reason="what a group is nested in", said=r"Group .* can't be nested in "),
    Unforeseen(reason="which pages there were", said=r".* is no cursor"),
    Unforeseen(
        reason="networks and durations of three notations have no format in JSON Schema",
        said=r".* is no network|Duration has wrong format",
    ),
    Unforeseen(reason="whether it is the password", said=r"It is not your password|This password "),
)


def _messages(faults: Any) -> Iterator[str]:  # Any: JSON
    if isinstance(faults, dict):
        for each in faults.values():
            yield from _messages(each)
    elif isinstance(faults, list):
        for each in faults:
            yield from _messages(each)
    else:
        yield str(faults)


def is_unforeseen(body: Any) -> bool:  # Any: JSON
    """Return whether an answer tells of what no schema foretells: one such fault refuses the whole."""
    results = body.get("results") if body.get("code") == "bulk_refused" else None
    answers = [body] if results is None else [each["error"] for each in results if "error" in each]
    told = [message for each in answers for message in _messages(each.get("errors") or each["detail"])]
    return any(each.is_it(message) for message in told for each in UNFORESEEN)


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:  # Any: schemathesis'
    """Leave out refusals that no schema foretells."""
    if failure.code != CHECK or response.status_code != 400:
        return True
    return not is_unforeseen(json.loads(response.content))


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:  # Any: schemathesis'
    """Leave out what would end who asks: their user and their token."""
    own = {"users": os.environ["ASKER_ID"], "tokens": os.environ["ASKER_TOKEN_ID"]}
    kind = case.operation.path.removesuffix("/").removesuffix("/{id}").rsplit("/", 1)[-1]
    return str((case.path_parameters or {}).get("id")) != own.get(kind)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:  # Any: schemathesis'
    """Send an Idempotency-Key once, conditions that hold, and what is about row 0 to a row that is there."""
    headers, parameters = case.headers or {}, case.path_parameters or {}
    if re.fullmatch("[ -~]{1,255}", str(headers.get("Idempotency-Key", ""))):
        headers["Idempotency-Key"] = uuid4().hex
    if "If-Match" in headers:
        headers["If-Match"] = "*"
    if str(parameters.get("id")) == "0":
        parameters["id"] = "1"


@schemathesis.auth(refresh_interval=None)
class Tokens:
    """The token of who asks, and a new one for each request that ends the token which it is sent with."""

    def get(self, case: Any, context: Any) -> str:  # Any: schemathesis'
        """Return the token for a request."""
        token = os.environ["ASKER_TOKEN"]
        if case.operation.label != "DELETE /api/v2/auth/token/":
            return token
        url = case.operation.base_url.removesuffix("/") + "/api/v2/me/tokens/"
        made = httpx.post(url, json={"name": "to be ended"}, headers={"Authorization": f"Token {token}"})
        return str(made.raise_for_status().json()["token"])

    def set(self, case: Any, data: str, context: Any) -> None:  # Any: schemathesis'
        """Send it along."""
        case.headers = {**(case.headers or {}), "Authorization": f"Token {data}"}
