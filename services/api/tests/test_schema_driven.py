"""Requests made out of the OpenAPI schema: none is answered with 5xx, nor with a type that is not in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance

from pagoda.domain.user.models import ApiToken
from pagoda.jobs.testing import recording_publisher
from pagoda_api.wsgi import application
from tools.examples import examples

pytestmark = pytest.mark.django_db

SETTINGS = settings(
    max_examples=examples(4, quick=1),
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # a fault is shown with its request: shrinking would take long
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def connection_of_the_test() -> Iterator[None]:
    """Keep the connection of the test's transaction, which the application would close after each request."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    with recording_publisher():
        yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.parametrize("is_superuser", [False, True])
def test_no_request_finds_a_fault_of_the_host(
    make_user: Callable[..., Any], web: Any, is_superuser: bool
) -> None:
    assert web.pk
    schema = schemathesis.openapi.from_wsgi("/api/v2/schema/", application)
    user = make_user("ann", is_superuser=is_superuser)
    asked: list[str] = []
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # a fault of the schema is raised

        @SETTINGS
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            _, token = ApiToken.issue(user, "test", None)  # each its own: some requests end it
            asked.append(case.operation.label)
            case.call_and_validate(
                headers={"Authorization": f"Token {token}"},
                checks=[not_a_server_error, content_type_conformance],
            )

        check()
    assert len(set(asked)) == schema.statistic.operations.total
