"""Load many entries of an entity with five attributes into PostgreSQL: a million in minutes.

Set-based SQL, in batches that each are one statement and one transaction: entries with their current values,
their attributes, and the first versions of these, as the services leave them; `pagoda entries verify` agrees.
For benchmarks and tests alone: no rights, hooks or audit, and the account has to be a superuser, as foreign
keys and triggers are left out.

    python benchmarks/load_entries.py postgres://... Server 1000000
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Final

import psycopg

BATCH: Final = 20_000
VALUES: Final = {  # of the n-th entry, by the attribute's name
    "address": "to_jsonb(format('192.0.2.%s', n % 250))",
    "os": "to_jsonb((ARRAY['Debian 13', 'Debian 12', 'Alpine 3.22', 'FreeBSD 15'])[1 + n % 4])",
    "ram": "to_jsonb(n % 512)",
    "is_virtual": "to_jsonb(n % 2 = 0)",
    "bought": "to_jsonb(date '2020-01-01' + n % 2000)",
}
_LOAD: Final = """
WITH attr AS MATERIALIZED (
  SELECT id, name, type & 1 > 0 AS is_reference FROM entity_entityattr
  WHERE parent_entity_id = %(entity)s AND is_active),
entry AS (
  INSERT INTO entry_entry (is_active, created_time, updated_time, schema_id, name, note, default_permission,
                           current_values)
  SELECT TRUE, now(), now(), %(entity)s, 'loaded ' || n, '', 8,
         (SELECT jsonb_object_agg(attr.id, CASE attr.name {cases} END) FROM attr)
  FROM generate_series(%(first)s::int, %(last)s::int) n
  RETURNING id, current_values),
made AS (
  INSERT INTO entry_attribute (is_active, created_time, parent_entry_id, schema_id, name)
  SELECT TRUE, now(), entry.id, attr.id, attr.name FROM entry CROSS JOIN attr
  RETURNING id, parent_entry_id, schema_id),
stored AS (
  INSERT INTO entry_attributevalue (is_active, created_time, parent_attr_id, parent_entry_id, value,
                                    is_latest, is_in_entry)
  SELECT TRUE, now(), made.id, entry.id,
         CASE WHEN attr.is_reference THEN NULL ELSE entry.current_values -> attr.id::text END, TRUE, TRUE
  FROM made JOIN entry ON entry.id = made.parent_entry_id JOIN attr ON attr.id = made.schema_id
  RETURNING id, parent_attr_id),
referring AS (
  INSERT INTO entry_attributereference (value_id, ordinal, name, entry_id)
  SELECT stored.id, 0, '', (entry.current_values ->> attr.id::text)::bigint
  FROM stored JOIN made ON made.id = stored.parent_attr_id JOIN attr ON attr.id = made.schema_id
  JOIN entry ON entry.id = made.parent_entry_id WHERE attr.is_reference)
SELECT id FROM entry
"""


def load(url: str, entity: str, count: int, values: Mapping[str, str] = VALUES, after: int = 0) -> list[int]:
    """Add so many entries, ``loaded 1`` and so on, to an entity that has `after` of them; return their ids.

    `values` are its attributes, each with the SQL of the n-th entry's value.

    Raises:
        LookupError: there is no such entity, or it has not these attributes.
    """
    cases = " ".join(f"WHEN '{name}' THEN {value}" for name, value in values.items())
    statement = _LOAD.format(cases=cases.replace("%", "%%"))
    ids: list[int] = []
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT entity.id FROM entity_entity entity JOIN entity_entityattr attr"
            " ON attr.parent_entity_id = entity.id AND attr.is_active AND attr.name = ANY(%s)"
            " WHERE entity.name = %s AND entity.is_active GROUP BY entity.id HAVING count(*) = %s",
            [list(values), entity, len(values)],
        ).fetchone()
        if found is None:
            raise LookupError(f"There is no entity {entity!r} with the attributes {', '.join(values)}.")
        connection.execute("SET session_replication_role = replica")
        for first in range(after + 1, after + count + 1, BATCH):
            last = min(first + BATCH - 1, after + count)
            rows = connection.execute(statement, {"entity": found[0], "first": first, "last": last})
            ids += [row[0] for row in rows]
        connection.execute("VACUUM ANALYZE entry_entry, entry_attribute, entry_attributevalue")
    return ids


if __name__ == "__main__":
    started = time.perf_counter()
    print(f"{len(load(sys.argv[1], sys.argv[2], int(sys.argv[3]))):,} entries", end=" ")
    print(f"in {time.perf_counter() - started:.1f} s")
