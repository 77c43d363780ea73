"""Writes of the register: entries are added, all of a delivery or none, and never changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from django.db import connection

from core.catalog.entries import WITHDRAWAL, Entry, Fault
from core.catalog.entry_rows import read_rows
from core.catalog.models import RegisterEntry
from core.catalog.selectors import known_to_register, sites
from core.locks import REGISTER_LOCK
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from core.quantification.pack import FactorPack

MOST_ROWS: Final = 20_000


class RegisterRefused(Exception):  # said in the words of the product
    """Nothing was written; ``faults`` says why, every one with its row, its field and what to do."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"row {each.row}, {each.field}: {each.reason}" for each in faults[:5]))
        self.faults = list(faults)


def add_entries(
    *, organization_id: int, rows: Iterable[Mapping[str, Any]], pack: FactorPack, today: date
) -> list[RegisterEntry]:
    """
    Add every row to the register, or none.

    Args:
        rows: of the template `core.catalog.entries.TEMPLATE`.
        pack: tells which fuels, gases and hardware have a factor.
        today: UTC.

    Returns:
        The entries in the order of the rows.

    Raises:
        RegisterRefused: with every fault of every row.
    """
    given = list(rows)
    with organization_scope(organization_id):
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s, %s)", [REGISTER_LOCK, organization_id])
        entries = check_entries(organization_id=organization_id, rows=given, pack=pack, today=today)
        made = _insert(organization_id, entries)
        record_event(
            organization_id=organization_id,
            action="add_register_entries",
            object_type="register_entry",
            object_id=made[0].id if len(made) == 1 else "",
            after={
                "entries": [described(entry, row) for entry, row in zip(entries, made, strict=True)][:100],
                "count": len(made),
            },
        )
    return made


def check_entries(
    *, organization_id: int, rows: Sequence[Mapping[str, Any]], pack: FactorPack, today: date
) -> list[Entry]:
    """Read rows as `add_entries` would, and write nothing. Raises RegisterRefused as it does."""
    if not rows:
        raise RegisterRefused([Fault(0, "rows", "There is no row: give at least one entry.")])
    if len(rows) > MOST_ROWS:
        raise RegisterRefused([Fault(0, "rows", f"These are {len(rows)} rows: give at most {MOST_ROWS} at once.")])
    entries, faults = read_rows(rows, known_to_register(organization_id, pack, today))
    if faults:
        raise RegisterRefused(faults)
    return entries


def _insert(organization_id: int, entries: Sequence[Entry]) -> list[RegisterEntry]:
    ids = {site.slug: site.id for site in sites(organization_id)}
    return RegisterEntry.objects.bulk_create(
        RegisterEntry(
            organization_id=organization_id,
            site_id=ids[entry.site],
            kind=entry.kind,
            day=entry.day,
            source=entry.source,
            replaces_id=entry.replaces,
            **entry.values,
        )
        for entry in entries
    )


def described(entry: Entry, row: RegisterEntry) -> dict[str, Any]:
    """Give an entry in plain values, for the audit log."""
    plain = replace(entry, values={name: str(value) for name, value in entry.values.items()})
    return {
        "id": row.id,
        "site": plain.site,
        "kind": plain.kind,
        "date": plain.day.isoformat(),
        **plain.values,
        "source": plain.source,
        **({"withdraws" if plain.kind == WITHDRAWAL else "replaces": plain.replaces} if plain.replaces else {}),
    }
