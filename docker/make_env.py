"""Write docker/.env: fresh secrets for docker/compose.yaml. What stands there already is kept."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

TARGET = Path(__file__).resolve().parent / ".env"
ACCOUNTS = ("API", "DISPATCHER", "CORE", "HELLO_WORLD", "INVENTORY")


def variables() -> dict[str, str]:
    """Return the variables with new secrets."""
    return {
        "PAGODA_SECRET_KEY": secrets.token_urlsafe(48),
        "POSTGRES_PASSWORD": secrets.token_urlsafe(24),
        **{f"{account}_DATABASE_PASSWORD": secrets.token_urlsafe(24) for account in ACCOUNTS},
        "FLOWER_BROKER_PASSWORD": secrets.token_urlsafe(24),
        "REDIS_PASSWORD": secrets.token_urlsafe(24),
        "RABBITMQ_PASSWORD": secrets.token_urlsafe(24),
        "FLOWER_BASIC_AUTH": f"pagoda:{secrets.token_urlsafe(18)}",
    }


def main() -> None:
    """Write the file, readable by its owner alone; to one that is there add what it lacks."""
    try:
        descriptor = os.open(TARGET, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        complete()
        return
    found = variables()
    amqp = f"amqp://pagoda:{found['RABBITMQ_PASSWORD']}@rabbitmq:5672//"
    lines = [f"{name}={value}" for name, value in found.items()]
    lines += [
        "",
        "# RabbitMQ instead of Redis: these two",
        "#COMPOSE_PROFILES=rabbitmq",
        f"#PAGODA_BROKER_URL={amqp}",
    ]
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    print(f"{TARGET} written; Flower's login is FLOWER_BASIC_AUTH in it")


def complete() -> None:
    """Add what a file of an earlier release lacks, and take out a broker's URL that all had in common."""
    lines = TARGET.read_text(encoding="utf-8").splitlines()
    held = dict(line.split("=", 1) for line in lines if "=" in line)
    shared = f"PAGODA_BROKER_URL=redis://:{held.get('REDIS_PASSWORD')}@redis:6379/0"
    kept = [line for line in lines if line != shared]
    added = [f"{name}={value}" for name, value in variables().items() if name not in held]
    if added or kept != lines:
        new = TARGET.with_name(".env.new")
        with os.fdopen(
            os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write("\n".join([*kept, *added]) + "\n")
        new.replace(TARGET)
    changes = [f"{len(added)} variables added"] if added else []
    if kept != lines:
        changes.append("PAGODA_BROKER_URL taken out, as each process has its own account")
    print(f"{TARGET} is there already, {'; '.join(changes) or 'nothing changed'}")


if __name__ == "__main__":
    main()
