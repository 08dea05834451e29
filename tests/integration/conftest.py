"""What the integration tests share: servers for the whole run, and a Pagoda of its own for who asks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from testcontainers.core.network import Network

from tests.integration.stage import engine
from tests.integration.stage.promises import Promises
from tests.integration.stage.servers import Broker, Postgres, RabbitMq, Redis
from tests.integration.stage.stack import Stack

TEMPLATE = "migrated"
BROKERS = ["redis", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)]
PROMISES = pytest.StashKey[Promises]()
ATTEMPTS = pytest.StashKey[Promises]()
STARTED = pytest.StashKey[datetime]()

MakeStack = Callable[..., Stack]


@pytest.hookimpl
def pytest_configure(config: pytest.Config) -> None:
    config.stash[PROMISES] = Promises()
    config.stash[ATTEMPTS] = Promises()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # pytest cleans up after ctrl-c


@pytest.hookimpl
def pytest_unconfigure(config: pytest.Config) -> None:
    engine.sweep()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[STARTED] = datetime.now(UTC)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and report.when != "teardown":
        report.sections += [(f"log of {name}", text) for name, text in engine.logs(since=item.stash[STARTED])]
    return report


@pytest.hookimpl
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for title, key in (("attempts to escape", ATTEMPTS), ("promises", PROMISES)):
        if lines := config.stash[key].lines():
            terminalreporter.section(title)
            for line in lines:
                terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def promise(pytestconfig: pytest.Config) -> Promises:
    """Note a promise and its figure for the table at the end."""
    return pytestconfig.stash[PROMISES]


@pytest.fixture(scope="session")
def attempted(pytestconfig: pytest.Config) -> Promises:
    """Note an attempt to escape and what held it, for a table at the end."""
    return pytestconfig.stash[ATTEMPTS]


@pytest.fixture(scope="session", autouse=True)
def docker_engine() -> None:
    """Skip without Docker or the images on a developer's machine; fail where CI=true."""
    reason = engine.missing()
    if reason is None:
        engine.sweep()  # what runs have left that were killed
    elif os.environ.get("CI") == "true":
        pytest.fail(f"integration tests: {reason}", pytrace=False)
    else:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def network(docker_engine: None) -> Iterator[Network]:
    with engine.network() as made:
        yield made


@pytest.fixture(scope="session")
def postgres(network: Network) -> Iterator[Postgres]:
    with Postgres(network) as server:
        migrate(server, network)
        yield server


@pytest.fixture(scope="session")
def redis(network: Network) -> Iterator[Redis]:
    with Redis(network) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq(network: Network) -> Iterator[RabbitMq]:
    with RabbitMq(network) as server:
        yield server


@pytest.fixture(scope="session", params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Broker:
    """Run the test once on each broker."""
    server: Broker = request.getfixturevalue(request.param)
    return server


@pytest.fixture(scope="session")
def shared(network: Network, postgres: Postgres, broker: Broker) -> Iterator[Stack]:
    """Run one Pagoda for all tests that do not hurt it: API, two plugins' workers, dispatcher, Flower."""
    with Stack(network, postgres, postgres.copy_of(TEMPLATE), broker) as stack:
        stack.start_recorder()
        stack.start_api()
        stack.start_worker("trial", settings={"PLUGIN_WORKER_CONFIG": '{"trial": {"concurrency": 2}}'})
        stack.start_worker("neighbour")
        stack.start_dispatcher()
        stack.start_flower()
        stack.wait_ready()
        yield stack


@pytest.fixture
def make_stack(network: Network, postgres: Postgres) -> Iterator[MakeStack]:
    """Make a Pagoda, nothing of it started, over a new database and a new place of a broker."""
    with ExitStack() as stacks:

        def make(broker: Broker, database: str | None = None, **settings: str) -> Stack:
            database = database or postgres.copy_of(TEMPLATE)
            return stacks.enter_context(Stack(network, postgres, database, broker, settings))

        yield make


class NoBroker:
    """Stands where none is needed."""

    def place(self) -> str:
        """Return a BROKER_URL where nobody answers."""
        return "redis://nowhere:6379/0"


def migrate(postgres: Postgres, network: Network) -> None:
    """Make the database that all others are copied from: up to date, and with an administrator."""
    with postgres.connection("postgres") as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    with Stack(network, postgres, TEMPLATE, NoBroker()) as stack:
        stack.migrate()
