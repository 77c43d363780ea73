"""
One organization never sees another's rows: PostgreSQL row-level security under every table with an organization.

Rows are visible only inside ``organization_scope(id)``: outside it a query of a tenant table finds nothing and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, migrations, transaction
from django.db.backends.utils import CursorWrapper

ORGANIZATION = "wattledger.org"
PERSON = "wattledger.person"

P = ParamSpec("P")
T = TypeVar("T")

_SEEN: ContextVar[dict[Any, Any] | None] = ContextVar("seen", default=None)
"""What was read in the snapshot that is open; None outside of one."""


@contextmanager
def organization_scope(organization_id: int) -> Iterator[None]:
    """
    Open a transaction (or savepoint) in which the rows of one organization, and no other's, can be seen.

    Inside another organization's scope, that one is in force again afterwards; inside a plain transaction, none is.
    """
    with _set_within(ORGANIZATION, organization_id):
        yield


@contextmanager
def organization_snapshot(organization_id: int) -> Iterator[None]:
    """
    Open a scope that reads one moment, however many statements there are, and that nothing can be written in.

    Inside a transaction that is open already, that one's isolation holds.
    """
    if _SEEN.get() is not None:  # within a snapshot; nothing is written in one, so there is nothing to take back either
        with organization_scope(organization_id):
            yield
        return
    outermost = not connection.in_atomic_block
    seen = _SEEN.set({}) if outermost else None
    try:
        with transaction.atomic():
            if outermost:
                with connection.cursor() as cursor:
                    cursor.execute("set transaction isolation level repeatable read, read only")
            with organization_scope(organization_id):
                yield
    finally:
        if seen is not None:
            _SEEN.reset(seen)


def in_snapshot() -> bool:
    """Tell whether what is read now is of one moment, and nothing can be written."""
    return _SEEN.get() is not None


def once_a_snapshot(read: Callable[P, T]) -> Callable[P, T]:
    """
    Let a selector read once in a snapshot: nothing changes in one, and the figures of a page ask the same of all of them.

    The organization is among the arguments, which are hashable; nobody changes what is returned.
    """

    @wraps(read)
    def remembering(*args: P.args, **kwargs: P.kwargs) -> T:
        seen = _SEEN.get()
        if seen is None:
            return read(*args, **kwargs)
        key = (read, args, tuple(sorted(kwargs.items())))
        if key not in seen:
            seen[key] = read(*args, **kwargs)
        found: T = seen[key]
        return found

    return remembering


def scoped_rows(organization_id: int, query: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """
    Run statements in an organization's scope with a single round trip, for doors that answer a thousand times a second.

    Several statements (between semicolons) are one transaction: PostgreSQL takes them together unless one is open already.
    Returns the rows of the last statement, [] when it has none. Never build ``query`` from what somebody sent.
    """
    if connection.in_atomic_block:  # the setting would outlast the statement
        with organization_scope(organization_id):
            return _rows(query, parameters)
    return _rows(f"select set_config('{ORGANIZATION}', '{int(organization_id)}', true); {query}", parameters)


def _rows(query: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        while cursor.nextset():
            pass
        return cursor.fetchall() if cursor.description else []


@contextmanager
def person_scope(person_id: int) -> Iterator[None]:
    """Open a transaction in which a person's own memberships, in any organization, can be read."""
    with _set_within(PERSON, person_id):
        yield


@contextmanager
def _set_within(name: str, value: int) -> Iterator[None]:
    """Open a transaction (or savepoint) in which a setting has a value; afterwards it has again what it had before."""
    wanted = str(int(value))
    known = _SEEN.get()
    if known is not None and known.get(name) == wanted:
        yield  # nothing is written in a snapshot, so there is nothing to take back either
        return
    nested = connection.in_atomic_block  # else the setting ends with the transaction
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("select current_setting(%s, true), set_config(%s, %s, true)", [name, name, wanted])
            outer = cursor.fetchone()[0] or ""
        if known is not None:
            known[name] = wanted
        try:
            yield
        finally:
            if known is not None:
                known[name] = outer
        if nested and outer != wanted and not connection.needs_rollback:  # a rollback restores it by itself
            with connection.cursor() as cursor:
                cursor.execute("select set_config(%s, %s, true)", [name, outer])


def protect(table: str) -> migrations.RunSQL:
    """Migration step: force row-level security on a table that has ``organization_id``."""
    return migrations.RunSQL(f"select wattledger_protect('{table}'::regclass)", migrations.RunSQL.noop)


def same_organization_key(table: str, column: str, target: str) -> migrations.RunSQL:
    """
    Migration step: a foreign key that starts with the organization.

    Foreign-key checks ignore row-level security, so a plain key could point into another organization.
    ``target`` needs a unique constraint on (organization_id, id).
    """
    name = f"{table}_{column}_same_organization"
    return migrations.RunSQL(
        f"alter table {table} add constraint {name} foreign key (organization_id, {column})"
        f" references {target} (organization_id, id) deferrable initially deferred",
        f"alter table {table} drop constraint {name}",
    )


def refuse_bypass(cursor: CursorWrapper) -> None:
    """Raise ImproperlyConfigured when the role behind a cursor is not bound by row-level security."""
    if settings.ALLOW_RLS_BYPASS:
        return
    cursor.execute("select rolname, rolsuper or rolbypassrls from pg_roles where rolname = current_user")
    role, bypasses = cursor.fetchone()
    if bypasses:
        raise ImproperlyConfigured(
            f"The role {role} of DATABASE_URL bypasses row-level security. Give the application a role of its own"
            " (docs/production.md), or set ALLOW_RLS_BYPASS=1 if your server offers no other role."
        )
