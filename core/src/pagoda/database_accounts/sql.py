"""Statements of PostgreSQL, the same for being run and for being printed."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

Made = tuple[str, str, str]
"""What a statement makes that needs a lock to be made anew: kind (policy, trigger, rows), table, name."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One or several statements that belong together; running them again changes nothing."""

    text: str
    made: Made | None = None

    @property
    def digest(self) -> str:
        """Return what tells it from another one for the same thing."""
        return sha256(self.text.encode()).hexdigest()

    @property
    def full_text(self) -> str:
        """Return the text with what notes its digest at the thing, so that it need not be made again."""
        if self.made is None or self.made[0] == "rows":
            return self.text
        kind, table, name = self.made
        note = f"COMMENT ON {kind.upper()} {ident(name)} ON public.{ident(table)} IS '{self.digest}'"
        return f"{self.text};\n{note}"


def ident(name: str) -> str:
    """Return `name` as SQL writes the name of a thing."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return `text` as SQL writes a text, whatever it holds and however the server reads backslashes."""
    quoted = "'" + text.replace("'", "''") + "'"
    return f" E{quoted.replace(chr(92), chr(92) * 2)}" if "\\" in text else quoted


def policy(table: str, name: str, role: str, command: str, *, using: str = "", check: str = "") -> Statement:
    """Return the statement that makes a policy: the rows that `role` reaches with `command`."""
    where = f"{ident(name)} ON public.{ident(table)}"
    text = f"DROP POLICY IF EXISTS {where};\nCREATE POLICY {where} FOR {command} TO {ident(role)}"
    text += f" USING ({using})" if using else ""
    text += f" WITH CHECK ({check})" if check else ""
    return Statement(text, made=("policy", table, name))


def rows_confined(table: str) -> Statement:
    """Return the statement that has policies decide on the rows of a table, for everybody but its owner."""
    return Statement(f"ALTER TABLE public.{ident(table)} ENABLE ROW LEVEL SECURITY", made=("rows", table, ""))


def role_exists(role: str) -> Statement:
    """Return the statement that makes a role that may nothing, unless it is there."""
    return Statement(
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(role)}) "
        f"THEN CREATE ROLE {ident(role)}; END IF; END $$"
    )
