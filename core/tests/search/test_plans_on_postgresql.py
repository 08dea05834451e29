"""What PostgreSQL reads for a search among 100,000 entries: indexes, never all entries one by one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools.migrated_host import python_on, running_postgres
from tools.servers import missing_programs

SCRIPT = """
import re
import django
django.setup()
from django.core.management import call_command
from django.db import connection
from pagoda.domain.access import readable
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.search import counting, finding
from pagoda.domain.search.conditions import read_parameters, read_tree
from pagoda.domain.search.finding import Query, find
from pagoda.domain.value_indexes import make_indexes
from pagoda.domain.user.models import Level, Role, RolePermission, User

call_command("migrate", verbosity=0)
ROWS = 100_000
types = {"os": "string", "ram": "number", "rack": "object"}
attrs = [{"name": name, "type": kind, "is_indexed": name == "ram"} for name, kind in types.items()]
room = [{"name": "room", "type": "string"}]
rack = Entity.objects.create_entity(user=None, name="Rack", attrs=room, default_permission=Level.FULL)
host = Entity.objects.create_entity(user=None, name="Host", attrs=attrs, default_permission=Level.FULL)
late = Entity.objects.create_entity(user=None, name="Late", default_permission=Level.FULL)
ids = {attr.name: attr.pk for attr in EntityAttr.objects.all()}
with connection.cursor() as cursor:
    for entity, first, count, values in (
        (rack.pk, 1, 1000, f"jsonb_build_object('{ids['room']}', 'room ' || n)"),
        (host.pk, 1001, ROWS, f"jsonb_build_object('{ids['os']}', 'os ' || mod(n, 5000), '{ids['ram']}', n, "
            f"'{ids['rack']}', 1 + mod(n, 1000))"),
        (late.pk, 1001 + ROWS, 500, "jsonb_build_object()"),
    ):
        cursor.execute(
            "INSERT INTO entry_entry (id, schema_id, name, note, default_permission, is_active, "
            "created_time, updated_time, current_values) SELECT %s + n - 1, %s, 'e' || md5(n::text), "
            "CASE WHEN n = 77 THEN 'a rare word' ELSE '' END, 8, true, now(), "
            f"now() - n * interval '1 second', "
            f"{values} FROM generate_series(1, %s) n",
            [first, entity, count],
        )
    cursor.execute(
        "INSERT INTO entry_attribute (parent_entry_id, schema_id, name, is_active, created_time) "
        "SELECT id, %s, 'rack', true, now() FROM entry_entry WHERE schema_id = %s", [ids["rack"], host.pk])
    cursor.execute(
        "INSERT INTO entry_attributevalue (parent_attr_id, parent_entry_id, is_latest, is_active, "
        "created_time, is_in_entry) SELECT id, parent_entry_id, true, true, now(), true FROM entry_attribute")
    cursor.execute(
        "INSERT INTO entry_attributereference (value_id, ordinal, name, entry_id) "
        "SELECT v.id, 0, '', (e.current_values ->> %s)::bigint FROM entry_attributevalue v "
        "JOIN entry_entry e ON e.id = v.parent_entry_id", [str(ids["rack"])])
    cursor.execute("UPDATE entry_entry SET name = 'qz north hall' WHERE id = 5")
    cursor.execute("VACUUM ANALYZE")
make_indexes()  # after it: whoever makes an index sees to its statistics
user = User.objects.create_user("ann")
plans = []

def explain(execute, sql, params, many, context):
    if sql.startswith(("SELECT", "WITH found")) and '"entry_entry"' in sql and "EXPLAIN" not in sql:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + sql, params)
            plans.append("\\n".join(row[0] for row in cursor.fetchall()))
    return execute(sql, params, many, context)

ROOMS = ",".join(f"room {n}" for n in range(300, 390))
CASES = {
    "an equal value": ("entity=Host&attr.os=os 42", {}),
    "an equal value of any entity": ("attr.os=os 42", {}),
    "a number in some": ("attr.ram__in=5,6,7", {}),
    "a page in order": ("entity=Host", {"ordering": "-name"}),
    "what changed last": ("", {"ordering": "-updated_time"}),
    "a name's part": ("name__contains=deadb", {}),
    "a name's beginning": ("name__startswith=q", {}),
    "a name's beginning in an entity": ("entity=Host&name__startswith=e0a", {}),
    "the beginning of a word in a name": ("name__contains= n", {}),
    "a reference's target": ("entity=Host&attr.rack=e" + __import__("hashlib").md5(b"7").hexdigest(), {}),
    "behind a reference": ("attr.rack.attr.room=room 42", {}),
    "behind a reference to many": ("attr.rack.attr.room__in=" + ROOMS, {}),
    "a narrow range": ("entity=Host&attr.ram__gte=500&attr.ram__lt=510", {}),
    "the few above one bound": ("entity=Host&attr.ram__gt=99990", {}),
    "the few below one bound": ("entity=Host&attr.ram__lte=7", {"ordering": "-updated_time"}),
    "the lowest numbers": ("entity=Host", {"ordering": "attr.ram"}),
    "the highest numbers": ("entity=Host", {"ordering": "-attr.ram"}),
    "one of two": ("entity=Host", {"where": {"or": [
        {"field": "attr.rack.name", "value": "e" + __import__("hashlib").md5(b"8").hexdigest()},
        {"field": "attr.os", "value": "os 42"}]}}),
    "a plain page": ("entity=Host", {}),
    "a few behind many": ("entity=Late", {}),
    "a few behind many in order": ("entity=Late", {"ordering": "-updated_time"}),
    "a word": ("", {"text": "rare"}),
    "a word of an entity": ("entity=Host", {"text": "rare"}),
    "a word in order": ("entity=Host", {"text": "rare", "ordering": "name"}),
}
for name, (parameters, more) in CASES.items():
    pairs = [part.split("=") for part in parameters.split("&") if part]
    tree = more.pop("where", None)
    entity_ids = [each.pk for each in (host, late) if ["entity", each.name] in pairs] or None
    condition = read_parameters((key, value) for key, value in pairs if key != "entity")
    condition = read_tree(tree) if tree else condition

    def ask():
        query = Query(condition=condition, entity_ids=entity_ids, **more)
        return find(readable(Entry.objects.active(), user), user, query)

    plans.clear()
    with connection.execute_wrapper(explain):
        found = ask()
    assert found.rows, name
    for plan in plans:
        assert "Seq Scan on entry_entry" not in plan, (name, plan)
    page = plans[-1]
    has_condition = tree or condition.parts or more.get("text")
    is_few = has_condition or entity_ids == [late.pk]
    assert not is_few or not re.search("entry_entry_(pkey|updated)", page.split("SubPlan")[0]), (name, page)
def count(entity_ids=None, **more):
    condition = read_parameters(more.pop("where", {}).items())
    query = Query(condition=condition, entity_ids=entity_ids, limit=2, **more)
    return find(readable(Entry.objects.active(), user), user, query).count

COUNTED = {  # exactly, by what is asked
    "few": (7, dict(entity_ids=[host.pk], where={"attr.ram__lte": "7"})),
    "few behind the first page": (7, dict(entity_ids=[host.pk], where={"attr.ram__lte": "7"}, offset=4)),
    "few behind the last": (7, dict(entity_ids=[host.pk], where={"attr.ram__lte": "7"}, offset=40)),
    "thousands": (8_000, dict(entity_ids=[host.pk], where={"attr.ram__lte": "8000"})),
    "in order": (8_000, dict(entity_ids=[host.pk], where={"attr.ram__lte": "8000"}, ordering="name")),
    "of few in order": (500, dict(entity_ids=[late.pk], ordering="-name")),
    "of few": (500, dict(entity_ids=[late.pk])),
}
for name, (number, asked) in COUNTED.items():
    assert count(**asked) == (number, True), (name, count(**asked))
for asked in ({}, {"ordering": "name"}, {"entity_ids": [host.pk], "ordering": "-attr.ram"},
              {"entity_ids": [host.pk], "where": {"attr.ram__gt": "20000"}}):
    number, is_exact = count(**asked)
    assert number > 10_000 and not is_exact, (asked, number, is_exact)

# Where PostgreSQL expects many that are few it is asked for the first of them all the same.
real = counting.expected_rows
finding.expected_rows = lambda rows: 70_000
assert count([host.pk], where={"attr.ram__lte": "7"}) == (7, True)
assert count([late.pk], ordering="name") == (500, True)
counting._SECONDS, kept = 0.001, counting._SECONDS  # too little time to find them
one_of_many = {"note__contains": "rare", "attr.ram__lte": "80000"}
assert count([host.pk], where=one_of_many) == (1, True)  # its only page tells
assert count([host.pk], where={"name__regex": "^ef?[0-9].*[0-4]$"}).is_exact is False
finding.expected_rows, counting._SECONDS = real, kept

STATISTICS = "SELECT stxname FROM pg_statistic_ext WHERE stxrelid = 'entry_entry'::regclass"
with connection.cursor() as cursor:
    cursor.execute(STATISTICS)
    assert cursor.fetchall() == [(f"pagoda_value_{ids['ram']}_number",)]
    again = make_indexes()
    assert not (again.made or again.dropped or again.failed or again.left), again
    cursor.execute(f"DROP STATISTICS pagoda_value_{ids['ram']}_number")  # as an earlier release left it
    make_indexes()
    cursor.execute(STATISTICS)
    assert cursor.fetchall() == [(f"pagoda_value_{ids['ram']}_number",)]
    EntityAttr.objects.filter(pk=ids["ram"]).update(is_indexed=False)
    make_indexes()
    cursor.execute(STATISTICS)
    assert cursor.fetchall() == []
with connection.cursor() as cursor:
    cursor.execute("SHOW jit")
    assert cursor.fetchone() == ("off",), "a plan was compiled for longer than it takes"
for number in range(50):
    role = Role.objects.create(name=f"role {number}")
    role.users.add(user)
    RolePermission.objects.create(role=role, entity=rack, level=Level.READABLE)
plan = readable(Entry.objects.active(), user).explain()
assert "hashed SubPlan" in plan, plan  # grants are read once, not for each entry
for names in (["e1"], [f"e{number}" for number in range(300)]):
    plan = Entry.objects.active().filter(schema=host, name__in=names).order_by().explain()
    assert "part" not in plan and "Seq Scan" not in plan, plan
print("ok")
"""


def test_no_search_reads_all_entries(tmp_path: Path) -> None:
    if "postgresql" in missing_programs():
        pytest.skip("PostgreSQL is not installed")
    with running_postgres() as server:
        ended = python_on(server, tmp_path, "-c", SCRIPT)
    sys.stdout.write(ended.stdout)
    assert ended.returncode == 0, ended.stderr[-8000:]
    assert ended.stdout.endswith("ok\n")
