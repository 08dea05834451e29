"""Groups within groups on a real PostgreSQL: what they give, and two requests that would close a circle."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.migrated_host import python_on, running_postgres
from tools.servers import missing_programs

SCRIPT = """
import threading
import django
django.setup()
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection, transaction
from pagoda.domain.access import readable
from pagoda.domain.entity.models import Entity
from pagoda.domain.user.models import GroupNesting, Role, RolePermission, User

call_command("migrate", verbosity=0)
one, other = Group.objects.create(name="one"), Group.objects.create(name="other")
refused = []

def nest_other():
    try:
        GroupNesting.objects.create(group=other, parent=one)
    except ValidationError as error:
        refused.append(error.messages[0])
    connection.close()

def waits():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return cursor.fetchone()[0]

thread = threading.Thread(target=nest_other)
with transaction.atomic():
    GroupNesting.objects.create(group=one, parent=other)
    thread.start()
    while thread.is_alive() and not waits():
        thread.join(0.05)
thread.join()
assert refused == ["Group 'other' can't be nested in 'one', which is nested in it. Choose another parent."]

user, role = User.objects.create_user("ann"), Role.objects.create(name="r", can_add_entities=True)
shut = Entity.objects.create(name="Shut", default_permission=1)
RolePermission.objects.create(role=role, entity=shut, level=4)
role.groups.add(other)
assert not readable(Entity.objects.all(), user).exists()
user.groups.add(one)
assert list(readable(Entity.objects.all(), user, 4)) == [shut]
assert shut.may_permitted(user, 4) and not shut.may_permitted(user, 8)
print("ok")
"""


def test_the_second_of_two_waits_and_is_refused(tmp_path: Path) -> None:
    if "postgresql" in missing_programs():
        pytest.skip("PostgreSQL is not installed")
    with running_postgres() as server:
        ended = python_on(server, tmp_path, "-c", SCRIPT, timeout=120)
    assert ended.stdout.strip().endswith("ok"), ended.stderr[-3000:]
