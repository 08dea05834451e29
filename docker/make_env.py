"""Write docker/.env: fresh secrets for docker/compose.yaml. What stands there already is kept."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

TARGET = Path(__file__).resolve().parent / ".env"
ACCOUNTS = ("API", "DISPATCHER", "CORE", "HELLO_WORLD", "INVENTORY")


def variables() -> dict[str, str]:
    """Return the variables with new secrets."""
    redis, rabbitmq = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    return {
        "PAGODA_SECRET_KEY": secrets.token_urlsafe(48),
        "POSTGRES_PASSWORD": secrets.token_urlsafe(24),
        **{f"{account}_DATABASE_PASSWORD": secrets.token_urlsafe(24) for account in ACCOUNTS},
        "REDIS_PASSWORD": redis,
        "RABBITMQ_PASSWORD": rabbitmq,
        "PAGODA_BROKER_URL": f"redis://:{redis}@redis:6379/0",
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
    """Add the accounts' passwords that a file of an earlier release lacks."""
    held = {line.partition("=")[0] for line in TARGET.read_text(encoding="utf-8").splitlines()}
    added = [f"{name}={value}\n" for name, value in variables().items() if name not in held]
    with TARGET.open("a", encoding="utf-8") as file:
        file.writelines(added)
    print(f"{TARGET} is there already, " + (f"{len(added)} variables added" if added else "nothing changed"))


if __name__ == "__main__":
    main()
