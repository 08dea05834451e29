"""Write docker/.env: fresh secrets for docker/compose.yaml. What stands there already is kept."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

TARGET = Path(__file__).resolve().parent / ".env"


def variables() -> dict[str, str]:
    """Return the variables with new secrets."""
    redis, rabbitmq = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    return {
        "PAGODA_SECRET_KEY": secrets.token_urlsafe(48),
        "POSTGRES_PASSWORD": secrets.token_urlsafe(24),
        "REDIS_PASSWORD": redis,
        "RABBITMQ_PASSWORD": rabbitmq,
        "PAGODA_BROKER_URL": f"redis://:{redis}@redis:6379/0",
        "FLOWER_BASIC_AUTH": f"pagoda:{secrets.token_urlsafe(18)}",
    }


def main() -> None:
    """Write the file, readable by its owner alone, unless it is there."""
    try:
        descriptor = os.open(TARGET, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        print(f"{TARGET} is there already, nothing changed")
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


if __name__ == "__main__":
    main()
