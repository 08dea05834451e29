"""What each account may do at the broker, as it is rendered; the processes' tests try it at a real Redis."""

from __future__ import annotations

import re

import pytest

from pagoda.jobs.broker_accounts import BrokerAccount, accounts, rabbitmq_lines, redis_lines
from pagoda.jobs.publisher import may_publish

SHOP = "pagoda_plugin_shop"


def of(name: str, database: str = "0") -> BrokerAccount:
    return {account.name: account for account in accounts(["shop", "other"], database=database)}[name]


def test_every_process_has_an_account() -> None:
    assert [account.name for account in accounts(["shop"])] == [
        "pagoda_api",
        "pagoda_dispatcher",
        "pagoda_core",
        "pagoda_flower",
        SHOP,
    ]


def test_a_plugin_has_its_queue_its_breakers_and_events() -> None:
    rules = of(SHOP, database="3").redis
    keys = [rule for rule in rules if rule[0] in "~%&"]
    assert keys == [
        "~plugin.shop",
        "~plugin.shop\x06\x16*",
        "%R~pagoda:breaker:*",
        "~pagoda:breaker:shop:*",
        "&/3.celeryev/*",
    ]
    assert not {"+@all", "+eval", "+keys", "+flushdb", "+acl", "+config", "+del"} & set(rules)


@pytest.mark.parametrize("account", accounts(["shop"]), ids=lambda account: account.name)
def test_nobody_has_more_of_the_server_than_data(account: BrokerAccount) -> None:
    assert not re.search(
        r"\+(@all|@admin|@dangerous|acl|config|flush\w*|keys|shutdown)", " ".join(account.redis)
    )


def test_redis_cli_takes_the_lines_and_no_password_is_in_them() -> None:
    lines = list(redis_lines(accounts(["shop"])))
    assert lines[-1].startswith(f"ACL SETUSER {SHOP} reset on >PASSWORD_OF_{SHOP} ~plugin.shop ")
    assert r'"~plugin.shop\x06\x16*"' in lines[-1]


@pytest.mark.parametrize(
    ("queue", "is_own"),
    [
        ("plugin.shop", True),
        ("plugin.shop2", False),
        ("plugin.other", False),
        ("core", False),
        ("pluginxshop", False),
    ],
)
def test_at_rabbitmq_a_plugin_reads_its_own_queue_alone(queue: str, is_own: bool) -> None:
    configure, write, read = of(SHOP).rabbitmq
    assert bool(re.search(read, queue)) is bool(re.search(configure, queue)) is is_own
    assert not re.search(write, queue)
    assert not any(re.search(write, exchange) for exchange in ("amq.default", "core", "celery.pidbox"))


def test_at_rabbitmq_a_plugin_sends_events_of_workers_and_tasks() -> None:
    write, read = of(SHOP).topics
    assert re.search(write, "task.started")
    assert not re.search(write, "other.task.x")
    assert not re.search(read, "task.started")
    lines = list(rabbitmq_lines([of(SHOP)], "/"))
    assert lines == [
        f"rabbitmqctl add_user {SHOP}",
        rf"rabbitmqctl set_permissions -p / {SHOP} '^plugin\.shop$' '^celeryev$' '^plugin\.shop$'",
        rf"rabbitmqctl set_topic_permissions -p / {SHOP} celeryev '^(worker|task)\.' '^$'",
    ]


@pytest.mark.parametrize(
    ("account", "queue", "scheme", "expected"),
    [
        ("", "core", "redis", True),
        ("pagoda_dispatcher", "plugin.shop", "amqp", True),
        (SHOP, "plugin.shop", "redis", True),
        (SHOP, "plugin.shop", "rediss", True),
        (SHOP, "plugin.shop", "amqp", False),
        (SHOP, "plugin.other", "redis", False),
        (SHOP, "core", "redis", False),
        (SHOP, "shop", "redis", False),
    ],
)
def test_what_an_account_may_not_send_is_left_to_the_dispatcher(
    account: str, queue: str, scheme: str, expected: bool
) -> None:
    assert may_publish(account, queue, scheme=scheme) is expected
