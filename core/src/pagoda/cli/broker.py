"""`pagoda broker`: the accounts that processes have at the broker."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import click

from pagoda.cli.startup import QUIET, HostGroup, faults_reported, read_settings, set_up
from pagoda.config.accounts import read_passwords
from pagoda.config.django import broker_url
from pagoda.config.redis_package import redis_package
from pagoda.plugins.registry import registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from pagoda.config.settings import Settings
    from pagoda.jobs.broker_accounts import BrokerAccountsMade

NOT_CONFINED = (
    "The broker is a folder of files: whoever runs as its user reads, forges and drops every message, and "
    "no account confines a plugin's worker. Set BROKER_URL to Redis (7 or later) or RabbitMQ."
)


@click.group(cls=HostGroup)
def broker() -> None:
    """Make the accounts that processes have at the broker."""
    with faults_reported():
        set_up(log_level=QUIET)


@broker.command()
@click.option("--apply", "is_applied", is_flag=True, help="Make them, at Redis; by default they are printed.")
def acl(*, is_applied: bool) -> None:
    """Print what gives the API, the dispatcher, workers and Flower an account each at BROKER_URL.

    With --apply BROKER_URL is the operator's own account, and PAGODA_ACCOUNT_PASSWORDS_DIR a folder with a
    file per account. Plugins that are not enabled lose theirs. No password is ever printed.
    """
    with faults_reported():
        _acl(read_settings(), is_applied=is_applied)


def _acl(settings: Settings, *, is_applied: bool) -> None:
    from pagoda.jobs import broker_accounts  # late: models load after Django is set up

    url = urlsplit(broker_url(settings))
    wanted = broker_accounts.accounts(
        [record.id for record in registry().active], database=url.path.strip("/") or "0"
    )
    if url.scheme == "filesystem":
        if is_applied:
            raise click.ClickException(NOT_CONFINED)
        click.echo(NOT_CONFINED)
        return
    if url.scheme.startswith("amqp"):
        if is_applied:
            raise click.ClickException(
                "RabbitMQ takes its accounts from rabbitmqctl: run what `pagoda broker acl` prints."
            )
        for line in broker_accounts.rabbitmq_lines(wanted, unquote(url.path[1:]) or "/"):
            click.echo(line)
    elif is_applied:
        enabled = registry().enabled_accounts()
        _apply(settings, partial(broker_accounts.apply, wanted=wanted, enabled=enabled))
    else:
        for line in broker_accounts.redis_lines(wanted):
            click.echo(line)


def _apply(settings: Settings, apply: Callable[..., BrokerAccountsMade]) -> None:
    redis = redis_package()
    folder = settings.pagoda_account_passwords_dir
    if folder is None:
        raise click.ClickException(
            "Set PAGODA_ACCOUNT_PASSWORDS_DIR: a folder with the password of each account."
        )
    client = redis.Redis.from_url(broker_url(settings), socket_connect_timeout=5, socket_timeout=5)
    try:
        done = apply(client, passwords=read_passwords(folder))
    except (redis.RedisError, OSError) as error:
        raise click.ClickException(
            f"The accounts could not be made: {type(error).__name__}: {error}. BROKER_URL must name a "
            "Redis 7 or later, by an account that may use ACL."
        ) from error
    finally:
        client.close()
    click.echo(f"Accounts at the broker: {', '.join(done.made) or 'none'}")
    for name in done.removed:
        click.echo(f"Account {name!r} is gone: its plugin is not enabled")
    for name in done.without_password:
        click.echo(f"Account {name!r} was not made: {folder} has no file of its name", err=True)
    if not done.is_kept:
        click.echo(
            "Redis has no file of accounts (aclfile): run this again after each restart of it", err=True
        )
    if done.is_open:
        click.echo(
            "Anybody may log in as 'default' without a password: give it one, or turn it off", err=True
        )
