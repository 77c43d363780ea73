"""Links that somebody may want to make: sources that name the same account, or the same requests within a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from core.accounting.models import CoverageUnit
from core.accounting.selectors.conditions import source_names
from core.accounting.selectors.rules import links_in_order
from core.organizations.tenancy import organization_scope
from core.quantification.coverage import Link

REQUESTS_LOOKED_AT: Final = 2_000
"""Newest requests of each source that are compared: enough to see an overlap, and bounded."""
WITHIN_HOURS: Final = 24


@dataclass(frozen=True)
class SuggestedLink:
    """
    Two sources that may describe the same.

    Args:
        account: that both name; None: the same requests are in both.
        requests: how many of the requests that were looked at are in both.
        unit: that one of them is linked to already; None: neither is.
    """

    source_ids: tuple[int, int]
    sources: tuple[str, str]
    account: str | None
    requests: int
    unit: str | None
    unit_id: int | None

    @property
    def unit_name(self) -> str:
        """Name the unit that both would be linked to: the one that is there, else the account, else the two sources."""
        return self.unit or self.account or " + ".join(self.sources)

    def links(self, new_unit_id: int) -> list[Link]:
        """Give the links that would tie both to the unit; a unit that is not made yet has the id given."""
        return [Link(source_id, self.account, self.unit_id or new_unit_id) for source_id in self.source_ids]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values that JSON takes."""
        return {"sources": list(self.sources), "account": self.account, "requests": self.requests, "unit": self.unit}


def suggested_links(organization_id: int) -> list[SuggestedLink]:
    """List pairs of sources of which at least one is linked to nothing, by their names; same requests go first."""
    with organization_scope(organization_id):
        links = {(link.source_id, link.account): link for link in links_in_order(organization_id)}
        names = source_names(organization_id)
        units = dict(CoverageUnit.objects.filter(organization_id=organization_id).values_list("id", "name"))
        same_requests = [(a, b, None, count) for a, b, count in _same_requests(organization_id)]
        same_accounts = [(a, b, account, 0) for a, b, account in _same_accounts(organization_id)]
    found = []
    for first, second, account, count in (*same_requests, *same_accounts):
        linked = [_link(links, source_id, account) for source_id in (first, second)]
        if all(linked) or any(link is not None and link.unit_id is None for link in linked):
            continue  # linked both, or one of them is said to describe what nothing else does
        unit_id = next((link.unit_id for link in linked if link is not None), None)
        pair = (names[first], names[second])
        found.append(SuggestedLink((first, second), pair, account, count, units.get(unit_id or 0), unit_id))
    return sorted(found, key=lambda each: (each.account is not None, each.sources, each.account or ""))


def _link(links: dict[tuple[int, str | None], Link], source_id: int, account: str | None) -> Link | None:
    return links.get((source_id, account)) or links.get((source_id, None))


def _same_accounts(organization_id: int) -> list[tuple[int, int, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "with named as (select distinct source_id, account from ledger_series"
            "  where organization_id = %s and account is not null)"
            " select a.source_id, b.source_id, a.account from named a"
            " join named b on b.account = a.account and b.source_id > a.source_id order by 3, 1, 2",
            [organization_id],
        )
        return list(cursor.fetchall())


def _same_requests(organization_id: int) -> list[tuple[int, int, int]]:
    """Count the requests that two sources have within a day of each other, among the newest of each."""
    with connection.cursor() as cursor:
        cursor.execute(
            "with newest as (select s.id as source_id, t.request, t.started_at from ledger_source s"
            "  cross join lateral (select t.request, t.started_at from ledger_series e"
            "   join ledger_record_text t on t.organization_id = e.organization_id and t.series_id = e.id"
            "   where e.organization_id = s.organization_id and e.source_id = s.id and t.request is not null"
            "   order by t.started_at desc limit %s) t"
            "  where s.organization_id = %s)"
            " select a.source_id, b.source_id, count(distinct a.request) from newest a"
            " join newest b on b.request = a.request and b.source_id > a.source_id"
            "  and b.started_at between a.started_at - %s * interval '1 hour'"
            "  and a.started_at + %s * interval '1 hour'"
            " group by 1, 2 order by 1, 2",
            [REQUESTS_LOOKED_AT, organization_id, WITHIN_HOURS, WITHIN_HOURS],
        )
        return [(first, second, int(count)) for first, second, count in cursor.fetchall()]
