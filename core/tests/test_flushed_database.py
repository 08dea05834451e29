from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from tools.flushed_database import rows_of_all_tables


@pytest.mark.django_db(transaction=True)
def test_what_migrating_left_is_there_after_a_flush_and_nothing_else() -> None:
    before = rows_of_all_tables()

    Group.objects.create(name="operators")
    Permission.objects.filter(codename="add_entity").delete()
    call_command("flush", interactive=False, reset_sequences=False, verbosity=0)

    assert set(before) == {"auth_permission", "django_content_type"}
    assert rows_of_all_tables() == before
