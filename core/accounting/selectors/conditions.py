"""Filters on figures, once as SQL and once on frames derived on read. Names of columns come from here, values are parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
from django.db import connection

from core.accounting.figures import ATTRIBUTION, UNATTRIBUTED, Filter
from core.accounting.small_groups import SMALL_GROUPS, folded_teams, unfolded_filter
from core.ledger.models import Source
from core.organizations.models import Team
from core.organizations.tenancy import once_a_snapshot, organization_scope

ELSEWHERE = ("scope", "run")
"""A row books in several scopes, and daily rows know no runs: these two are filtered where they are split or read."""


def conditions(organization_id: int, asked: Filter) -> tuple[str, list[Any]]:
    """
    Write the filters on resolved series (``r``) as SQL.

    Returns:
        Conditions joined by ``and``, never empty, and their parameters in order.

    A project of a folded team is not found by its name, only as ``small groups``: it would be the team's figure.
    """
    parts = ["r.role = any(%s)"]
    values: list[Any] = [list(asked.role)]
    for name, allowed in asked.dims.items():
        if name in ELSEWHERE:
            continue
        known, nobody = known_values(name, allowed)
        if name == "source":
            parts.append("r.source_id = any(%s)")
            values.append(sources_asked(organization_id, asked))
        elif name == "technique":
            parts.append("r.techniques && %s::text[]")
            values.append(known)
        elif name == "project" and (folded := sorted(folded_teams_of(organization_id))):
            own = "r.project = any(%s)" + (" or r.project is null" if nobody else "")
            parts.append(f"case when r.team = any(%s) then %s else ({own}) end")
            values += [folded, SMALL_GROUPS in known, known]
        else:
            parts.append(f"(r.{name} = any(%s)" + (f" or r.{name} is null)" if nobody else ")"))
            values.append(known)
    return " and ".join(parts), values


def matches(frame: pd.DataFrame, asked: Filter, sources: Collection[int], folded: frozenset[str]) -> pd.Series:
    """Tell which rows of resolved series the same filters keep; `sources` as `sources_asked` finds them. [rows]"""
    kept = frame["role"].isin(asked.role)
    for name, allowed in asked.dims.items():
        if name in ELSEWHERE:
            continue
        known, nobody = known_values(name, allowed)
        if name == "technique":
            kept &= frame["techniques"].map(lambda own, known=known: not set(known).isdisjoint(own)).astype(bool)
        elif name == "source":
            kept &= frame["source_id"].isin(list(sources))
        elif name == "project" and folded:
            own = frame["project"].isin(known) | (frame["project"].isna() if nobody else False)
            kept &= own.mask(frame["team"].isin(folded), SMALL_GROUPS in known)
        else:
            kept &= frame[name].isin(known) | (frame[name].isna() if nobody else False)
    return kept


def known_values(name: str, allowed: Sequence[str]) -> tuple[list[str], bool]:
    """Part a filter's values into names and nobody: ``unattributed``; for what is no attribution the empty text as well."""
    nobody = (UNATTRIBUTED,) if name in ATTRIBUTION else (UNATTRIBUTED, "")
    return [value for value in allowed if value not in nobody], any(value in nobody for value in allowed)


def columns_of(asked: Filter, folded: frozenset[str]) -> list[str]:
    """Name the columns of resolved series that an answer is grouped by, and what is needed to fold small teams in it."""
    columns = ["source_id" if name == "source" else name for name in asked.by if name not in ELSEWHERE]
    if folded and "project" in columns and "team" not in columns:
        columns.append("team")
    if needs_scopes(asked):
        columns += ["scope", "scope_upstream", "scope_embodied"]
        if "site" not in columns:
            columns.append("site")  # who controls it decides the scope
    return columns


def needs_scopes(asked: Filter) -> bool:
    """Tell whether an answer depends on where figures book: as disclosed, the market basis is one of scope 2 only."""
    return asked.booking == "disclosed" or "scope" in (*asked.by, *asked.dims)


@once_a_snapshot
def source_names(organization_id: int) -> dict[int, str]:
    """Name an organization's sources by their id: by name, as KIND/NAME where two formats have one of the same name."""
    rows = list(Source.objects.filter(organization_id=organization_id).order_by("id").values_list("id", "kind", "name"))
    held = Counter(name for _, _, name in rows)
    return {number: name if held[name] == 1 else f"{kind}/{name}" for number, kind, name in rows}


def sources_asked(organization_id: int, asked: Filter) -> list[int]:
    """List the sources that a filter names, as `source_names` does or by the name that several may have; [] without one."""
    wanted = set(asked.dims.get("source", ()))
    if not wanted:
        return []
    titled = {number for number, title in source_names(organization_id).items() if title in wanted}
    named = Source.objects.filter(organization_id=organization_id, name__in=wanted).values_list("id", flat=True)
    return sorted(titled.union(named))


@once_a_snapshot
def folded_teams_of(organization_id: int) -> frozenset[str]:
    """Name the teams that are too small to be shown by themselves."""
    with organization_scope(organization_id):
        teams = Team.objects.filter(organization_id=organization_id)
        rows = list(teams.values_list("name", "head_count", "organization__minimum_group_size"))
    if not rows:
        return frozenset()
    return folded_teams({name: head_count for name, head_count, _ in rows}, rows[0][2])


def teams_of_unknown_size(organization_id: int) -> list[str]:
    """Name the teams of records that have no head count: they are shown by themselves, however small they are."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select distinct r.team from accounting_resolved_series r where r.organization_id = %s and r.team is not null"
            " and not exists (select from organizations_team t where t.organization_id = r.organization_id"
            " and t.name = r.team and t.head_count is not null) order by r.team",
            [organization_id],
        )
        return [name for (name,) in cursor.fetchall()]


def unfolded(asked: Filter, folded: frozenset[str]) -> Filter:
    """Widen a filter on a folded team to all of them."""
    if "team" not in asked.dims:
        return asked
    return replace(asked, dims={**asked.dims, "team": unfolded_filter(asked.dims["team"], folded)})
