"""One search over everything that has a name: pages, teams, models, runs, requests, sources, factors, periods, handbook."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.db import OperationalError, connection, transaction
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from core.accounting.figures import Filter, FilterError, parse_period
from core.accounting.models import View
from core.accounting.selectors.conditions import folded_teams_of, matches, source_names
from core.accounting.selectors.records import any_role, record_figures
from core.factors.selectors import pack_of
from core.ledger.models import Source
from core.ledger.runs import run_names_like
from core.ledger.selectors import find_record, records_at
from core.organizations.identity import Identity
from core.organizations.policy import Action, may, narrowing, narrowing_of_runs
from core.organizations.retention import retention_of
from core.organizations.selectors import organization_by_id
from reporting.handbook.contents import entries
from reporting.selectors.factors import Asked, factor_rows
from reporting.selectors.runs import run_of

MOST: Final = 8
SHORTEST: Final = 2
TEXT_TIMEOUT_MS: Final = 1_500
"""Ids as text have no index of their own: looking for one gives up after this."""
_QUARTER: Final = re.compile(r"[qQ]([1-4])[ /-]?(\d{4})")


@dataclass(frozen=True)
class Hit:
    """Something found: its name, what it is about, and where it is."""

    label: str
    detail: str
    address: str


@dataclass(frozen=True)
class Found:
    """Hits of one kind. ``more``: there may be others that are not listed."""

    title: str
    hits: list[Hit]
    more: bool = False


@dataclass(frozen=True)
class Seeker:
    """Who asks, and for what."""

    identity: Identity
    view: View | None
    text: str
    today: date

    @property
    def organization_id(self) -> int:
        return self.identity.organization_id


def search(seeker: Seeker, pages: Iterable[tuple[str, str]]) -> list[Found]:
    """
    Search everything that the asker may see.

    Args:
        pages: (label, address) of the pages that the asker may open.
    """
    groups = [
        _limited(_("Pages"), _pages(seeker, pages)),
        _limited(_("Periods"), _periods(seeker)),
        _limited(_("Teams"), _teams(seeker)),
        _limited(_("Models"), _models(seeker)),
        _limited(_("Training runs"), _runs(seeker)),
        _limited(_("Requests"), _requests(seeker)),
        _limited(_("Sources"), _sources(seeker)),
        _limited(_("Factors"), _factors(seeker)),
        _limited(_("Handbook"), _handbook(seeker)),
    ]
    return [group for group in groups if group.hits]


def _limited(title: str, hits: list[Hit]) -> Found:
    return Found(title, hits[:MOST], len(hits) > MOST)


def _pages(seeker: Seeker, pages: Iterable[tuple[str, str]]) -> list[Hit]:
    return [Hit(label, "", address) for label, address in pages if seeker.text.lower() in label.lower()]


def _periods(seeker: Seeker) -> list[Hit]:
    """Read a period as people write it: 2026, 2026-Q3, Q3 2026, 2026-07."""
    quarter = _QUARTER.fullmatch(seeker.text)
    name = f"{quarter[2]}-Q{quarter[1]}" if quarter else seeker.text
    try:
        period = parse_period(name, today=seeker.today)
    except FilterError:
        return []
    days = f"{period.from_day} – {period.to_day}"
    return [Hit(_("Overview of {period}").format(period=name), days, f"/?{urlencode({'period': name})}")]


def _teams(seeker: Seeker) -> list[Hit]:
    folded = folded_teams_of(seeker.organization_id)
    names = [name for name in _names_like(seeker, "team") if name not in folded]
    return [Hit(name, "", f"/models/?{urlencode({'team': name})}") for name in names]


def _models(seeker: Seeker) -> list[Hit]:
    address = "/requests/" if may(seeker.identity, Action.SEE_REQUESTS) else "/models/"
    return [Hit(name, "", f"{address}?{urlencode({'model': name})}") for name in _names_like(seeker, "model")]


def _names_like(seeker: Seeker, dim: str) -> list[str]:
    """List the names of a dimension in the figures that hold a text, of what the asker may see."""
    own = narrowing(seeker.identity)
    conditions = "".join(f" and r.{name} = any(%s)" for name in own)  # names of dimensions, never of what was asked
    with connection.cursor() as cursor:
        cursor.execute(
            f"select distinct r.{dim} from accounting_resolved_series r where r.organization_id = %s"
            f" and strpos(lower(r.{dim}), lower(%s)) > 0{conditions} order by 1 limit %s",
            [seeker.organization_id, seeker.text, *(list(values) for values in own.values()), MOST + 1],
        )
        return [name for (name,) in cursor.fetchall()]


def _runs(seeker: Seeker) -> list[Hit]:
    own = narrowing_of_runs(seeker.identity)
    names = run_names_like(seeker.organization_id, seeker.text, MOST + 1)
    if own:
        names = [name for name in names if run_of(seeker.organization_id, name, own) is not None]
    return [Hit(name, "", reverse("run", args=[name])) for name in names]


def _requests(seeker: Seeker) -> list[Hit]:
    """Find records by their own id, or by the id of a request or trace."""
    if not may(seeker.identity, Action.SEE_REQUESTS) or seeker.view is None:
        return []
    exact = find_record(seeker.organization_id, seeker.text)
    rows = [exact] if exact else _of_text(seeker)
    rows = _own(seeker, seeker.view, rows)
    return [
        Hit(
            row["record_id"],
            f"{date_format(row['started_at'], 'SHORT_DATETIME_FORMAT')} UTC",
            f"{reverse('request')}?{urlencode({'record': row['record_id']})}",
        )
        for row in rows
        if row["record_id"]
    ]


def _of_text(seeker: Seeker) -> list[dict[str, Any]]:
    """Look for the id of a request or trace among those that are kept as text; [] where that takes too long."""
    kept = retention_of(organization_by_id(seeker.organization_id)).ids_days
    since = datetime.now(UTC) - timedelta(days=kept)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select set_config('statement_timeout', %s, true)", [str(TEXT_TIMEOUT_MS)])
            cursor.execute(
                "select series_id, started_at, key from ledger_record_text where organization_id = %s and started_at >= %s"
                " and (request = %s or trace = %s) order by started_at desc limit %s",
                [seeker.organization_id, since, seeker.text, seeker.text, MOST + 1],
            )
            places = [(series_id, started_at.astimezone(UTC), key) for series_id, started_at, key in cursor.fetchall()]
            cursor.execute("select set_config('statement_timeout', '0', true)")
    except OperationalError:  # the savepoint is rolled back, and the timeout with it
        return []
    return records_at(seeker.organization_id, places)


def _own(seeker: Seeker, view: View, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep the records that the asker may see, by their names in force."""
    if not rows or not narrowing(seeker.identity, requests=True):
        return rows
    folded = folded_teams_of(seeker.organization_id)
    asked = Filter(seeker.today, seeker.today, dims=narrowing(seeker.identity, requests=True))
    found = record_figures(seeker.organization_id, view, rows)
    kept = matches(found, any_role(asked), source_names(seeker.organization_id), folded)
    return [row for row, keeps in zip(rows, kept.tolist(), strict=True) if keeps]


def _sources(seeker: Seeker) -> list[Hit]:
    if not may(seeker.identity, Action.SEE_SOURCES):
        return []
    rows = Source.objects.filter(organization_id=seeker.organization_id, name__icontains=seeker.text).order_by("name")
    return [Hit(source.name, source.kind, reverse("source", args=[source.id])) for source in rows[: MOST + 1]]


def _factors(seeker: Seeker) -> list[Hit]:
    if seeker.view is None:
        return []
    pack = pack_of(seeker.view.factor_set.content_hash)
    rows = [row for row in factor_rows(pack, Asked(text=seeker.text), {}, seeker.view.methodology) if row.used]
    rows.sort(key=lambda row: seeker.text.lower() not in " ".join(row.subject).lower())  # named so first, then about it
    return [
        Hit(
            " ".join(row.subject),
            " ".join(str(each) for each in (row.table.replace("_", " "), row.year, row.value, row.unit) if each),
            f"{reverse('factor_row')}?{urlencode({'id': row.id})}",
        )
        for row in rows[: MOST + 1]
    ]


def _handbook(seeker: Seeker) -> list[Hit]:
    wanted = seeker.text.lower()
    return [
        Hit(_(entry.title), _(entry.line), reverse("methodology_page", args=[entry.name]))
        for entry in entries().values()
        if wanted in f"{entry.title} {entry.line} {_(entry.title)} {_(entry.line)}".lower()
    ]
