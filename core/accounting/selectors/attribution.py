"""Reads of attribution rules, of what they move and decide, and of what nobody owns yet."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
from django.db import connection

from core.accounting.columns import EMBODIED, LOCATION, UPSTREAM
from core.accounting.models import AttributionRule
from core.accounting.rows import read_integers
from core.accounting.selectors.conditions import source_names
from core.accounting.selectors.views import current_view
from core.ledger.models import Source
from core.ledger.selectors import series_by_id
from core.organizations.tenancy import organization_scope
from core.quantification.activity import SERIES_TEXT
from core.quantification.attribute import day_number
from core.quantification.attribution_effect import Effect, attributed, effect_of
from core.quantification.attribution_rules import (
    LABEL,
    SOURCE,
    TARGETS,
    Condition,
    Rule,
    boundaries,
    deciders,
    from_plain,
    label_text,
)
from core.quantification.coverage import COUNTED
from core.quantification.sampling import SHARE

IN_TOTAL: Final = (LOCATION, UPSTREAM, EMBODIED)
"""Impacts whose kg a change of rules is weighed by: location-based, operations and life cycle."""
CONTRIBUTORS: Final = 20
SHOWN: Final = ("source", "account", "provider", "model", "environment", "team", "project")
"""Reported dimensions by which people recognize a series."""
_NOTHING: Final[dict[str, Any]] = dict.fromkeys(SERIES_TEXT)


@dataclass(frozen=True)
class Preview:
    """
    What a change would move in some days.

    Args:
        sample: of what moves, the largest first: ``reported`` (field to name, labels among them), ``before`` and ``after``
            (dimension to name, those that change), ``records``, ``nkg``.
    """

    from_day: date
    to_day: date
    effect: Effect
    sample: list[dict[str, Any]]


@dataclass(frozen=True)
class Contributor:
    """Uses of no team that report the same source, account, provider and labels; kg None where no figure is known."""

    source_id: int
    source: str
    account: str | None
    provider: str | None
    labels: Mapping[str, str]
    series: int
    records: int
    nkg: int | None
    share: float | None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions that a rule for them starts with; the source by its name."""
        given = [(SOURCE, self.source), ("account", self.account), ("provider", self.provider)]
        given += [(LABEL + key, text) for key, text in self.labels.items()]
        return tuple(Condition(name, "is", (value,)) for name, value in given if value)


@dataclass(frozen=True)
class Unattributed:
    """
    What counts and has no team.

    Args:
        nkg, records: of all that has none; whole_nkg: of everything in the same days.
        contributors: the largest by kg.
        more: further contributors.
    """

    from_day: date
    to_day: date
    nkg: int
    records: int
    whole_nkg: int
    contributors: list[Contributor]
    more: int

    @property
    def share(self) -> float | None:
        """The part of all kg."""
        return self.nkg / self.whole_nkg if self.whole_nkg > 0 else None


def rules_in_order(organization_id: int) -> tuple[Rule, ...]:
    """Read an organization's rules, inside its scope; sources are named by their ids."""
    rows = AttributionRule.objects.filter(organization_id=organization_id).order_by("position")
    names = ("id", "name", "conditions", "sets", "overwrite", "valid_from", "valid_to")
    return tuple(from_plain(row) for row in rows.values(*names))


def sources_by_title(organization_id: int) -> dict[str, int]:
    """Find an organization's sources by what `source_names` names them, as rules do; inside its scope."""
    return {title: number for number, title in source_names(organization_id).items()}


def with_titles(rule: Rule, titles: Mapping[int, str]) -> Rule:
    """Name the sources of a rule's conditions."""

    def named(condition: Condition) -> Condition:
        if condition.field != SOURCE:
            return condition
        return replace(condition, values=tuple(titles.get(int(each), each) for each in condition.values))

    return replace(rule, conditions=tuple(map(named, rule.conditions)))


def used(
    organization_id: int, cuts: Sequence[date], from_day: date | None = None, to_day: date | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    Read what counts in some days: series as reported, each once between two cuts, with its records and kg.

    Returns:
        subjects and sums as `effect_of` takes them; empty while nothing has been derived.
    """
    view = current_view(organization_id)
    kg = " + ".join(f"coalesce(d.{impact.column}, 0)" for impact in IN_TOTAL)
    sums = read_integers(
        f"select r.series_id, width_bucket(d.day, %s::date[])::bigint, sum(d.records)::bigint, sum({kg})::bigint"
        " from accounting_daily d"
        " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
        " where d.organization_id = %s and d.view_id = %s and r.role = %s"
        " and (%s::date is null or d.day >= %s::date) and (%s::date is null or d.day <= %s::date)"
        " group by 1, 2 order by 1, 2",
        [list(cuts), organization_id, view.id if view else 0, COUNTED, from_day, from_day, to_day, to_day],
        ("series_id", "between", "records", "nkg"),
    )
    return subjects_of(organization_id, sums["series_id"], sums["between"], cuts), sums[["records", "nkg"]]


def subjects_of(organization_id: int, series_ids: pd.Series, between: pd.Series, cuts: Sequence[date]) -> pd.DataFrame:
    """Read series as reported, with a day in the span between two cuts that each row is about."""
    series = series_by_id(organization_id, series_ids.unique().tolist()).rename_axis("series_id")
    days = np.array([(day_number(cuts[0]) - 1) if cuts else 0, *map(day_number, cuts)], dtype=np.int64)
    return series.loc[series_ids].reset_index().assign(day=days[between.to_numpy(dtype=np.int64)])


def source_settings(organization_id: int) -> dict[int, dict[str, Any]]:
    """Read the defaults of sources, inside the organization's scope."""
    return dict(Source.objects.filter(organization_id=organization_id).values_list("id", "settings"))


def preview(
    organization_id: int, after: Sequence[Rule], *, asked: Sequence[Rule] = (), from_day: date, to_day: date
) -> Preview:
    """
    Say what another list of rules would move in some days, both included; nothing is changed.

    Args:
        after: the whole list as it would be, sources by their ids.
        asked: rules whose matches are counted, such as the one that is new.
    """
    with organization_scope(organization_id):
        before = rules_in_order(organization_id)
        subjects, sums = used(organization_id, boundaries([*before, *after]), from_day, to_day)
        effect = effect_of(subjects, sums, before, after, source_settings(organization_id), asked)
        titles = source_names(organization_id)
    return Preview(from_day, to_day, effect, [_sampled(subjects, sums, titles, *row) for row in effect.sample])


def _sampled(
    subjects: pd.DataFrame,
    sums: pd.DataFrame,
    titles: Mapping[int, str],
    at: int,
    before: dict[str, str | None],
    after: dict[str, str | None],
) -> dict[str, Any]:
    row = subjects.iloc[at]
    reported = {"source": titles.get(int(row["source_id"]), ""), **{name: row[name] for name in SHOWN[1:]}}
    reported |= {LABEL + key: label_text(value) for key, value in sorted(row["labels"].items())}
    changed = [target for target in TARGETS if before[target] != after[target]]
    return {
        "reported": {name: value for name, value in reported.items() if value},
        "before": {target: before[target] for target in changed},
        "after": {target: after[target] for target in changed},
        "records": int(sums["records"].iloc[at]),
        "nkg": int(sums["nkg"].iloc[at]),
    }


def decided(organization_id: int, from_day: date, to_day: date) -> dict[int, tuple[int, int]]:
    """Return records and kg (1e-9) of which each rule decided some dimension, by the rule's id."""
    with organization_scope(organization_id):
        rules = rules_in_order(organization_id)
        if not rules:
            return {}
        subjects, sums = used(organization_id, boundaries(rules), from_day, to_day)
    found = deciders(subjects, rules).values() if len(subjects) else []
    chosen = [np.logical_or.reduce([each == at for each in found]) for at in range(len(rules))] if found else []
    records, nkg = (sums[name].to_numpy(dtype=np.int64) for name in ("records", "nkg"))
    return {
        rule.id: (sum(records[own].tolist()), sum(nkg[own].tolist()))
        for rule, own in zip(rules, chosen, strict=bool(chosen))
    }


@dataclass(frozen=True)
class Tried:
    """What the rules make of one use: dimension to its name (None: nobody) and the id of the rule that decided (0: none)."""

    names: Mapping[str, str | None]
    rules: Mapping[str, int]


def try_rules(
    organization_id: int, reported: Mapping[str, str], day: date, after: Sequence[Rule] | None = None
) -> Tried:
    """
    Attribute one use that somebody typed in.

    Args:
        reported: field to name; a source by its name.
        after: rules to try in place of those in force.
    """
    with organization_scope(organization_id):
        rules = rules_in_order(organization_id) if after is None else tuple(after)
        settings = source_settings(organization_id)
        source_id = sources_by_title(organization_id).get(reported.get(SOURCE, ""), 0)
    labels = {name.removeprefix(LABEL): value for name, value in reported.items() if name.startswith(LABEL)}
    plain = {name: value for name, value in reported.items() if name != SOURCE and not name.startswith(LABEL)}
    one = pd.DataFrame([_NOTHING | plain | {"source_id": source_id, "labels": labels, "day": day_number(day)}])
    one = one.astype(dict.fromkeys(_NOTHING, object))
    decider = deciders(one, rules)
    names = {str(name): value for name, value in attributed(one, rules, settings).iloc[0].to_dict().items()}
    at = {target: int(decider[target][0]) if target in decider else -1 for target in TARGETS}
    return Tried(names, {target: rules[position].id if position >= 0 else 0 for target, position in at.items()})


def unattributed(organization_id: int, from_day: date, to_day: date) -> Unattributed:
    """Find what counts in some days, both included, and has no team: its biggest contributors by kg, to be mended first."""
    kg = " + ".join(f"coalesce(d.{impact.column}, 0)" for impact in IN_TOTAL)
    known = " or ".join(f"d.{impact.column} is not null" for impact in IN_TOTAL)
    counted = (
        " from accounting_daily d"
        " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
    )
    where = " where d.organization_id = %s and d.view_id = %s and r.role = %s and d.day between %s and %s"
    with organization_scope(organization_id), connection.cursor() as cursor:
        view = current_view(organization_id)
        values: list[Any] = [organization_id, view.id if view else 0, COUNTED, from_day, to_day]
        cursor.execute(
            f"select coalesce(sum({kg}), 0), coalesce(sum({kg}) filter (where r.team is null), 0),"
            f" coalesce(sum(d.records) filter (where r.team is null), 0){counted}{where}",
            values,
        )
        whole, nkg, records = map(int, cursor.fetchone())
        cursor.execute(
            "select s.source_id, s.account, s.provider, (s.labels - %s)::text, count(distinct r.series_id),"
            f" sum(d.records), sum({kg}) filter (where {known}), count(*) over (){counted}"
            " join ledger_series s on s.organization_id = r.organization_id and s.id = r.series_id"
            f"{where} and r.team is null group by 1, 2, 3, 4 order by 7 desc nulls last, 6 desc, 1, 2, 3, 4"
            f" limit {CONTRIBUTORS}",
            [SHARE, *values],
        )
        rows = cursor.fetchall()
        titles = source_names(organization_id)
    return Unattributed(
        from_day,
        to_day,
        nkg,
        records,
        whole,
        [_contributor(titles, nkg, *row[:-1]) for row in rows],
        int(rows[0][-1]) - len(rows) if rows else 0,
    )


def _contributor(
    titles: Mapping[int, str],
    whole: int,
    source_id: int,
    account: str | None,
    provider: str | None,
    labels: str,
    series: int,
    records: int,
    nkg: int | None,
) -> Contributor:
    texts = {key: text for key, value in sorted(json.loads(labels or "{}").items()) if (text := label_text(value))}
    share = None if nkg is None or whole <= 0 else int(nkg) / whole
    title, kg = titles.get(source_id, ""), None if nkg is None else int(nkg)
    return Contributor(source_id, title, account, provider, texts, int(series), int(records), kg, share)


def days_before(today: date, number: int) -> tuple[date, date]:
    """Return the first and last of so many days up to today."""
    return today - timedelta(days=number - 1), today


def known_labels(organization_id: int) -> list[str]:
    """List the names of labels that records carry, at most a hundred."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select distinct jsonb_object_keys(labels) from"
            " (select labels from ledger_series where organization_id = %s and labels <> '{}' order by id desc limit 5000) s"
            " order by 1 limit 100",
            [organization_id],
        )
        return [name for (name,) in cursor.fetchall()]


def known_names(organization_id: int, targets: Collection[str] = TARGETS) -> dict[str, list[str]]:
    """List the names that figures have in some dimensions, at most a hundred each."""
    found = {}
    with organization_scope(organization_id), connection.cursor() as cursor:
        for target in targets:
            cursor.execute(
                f"select distinct {target} from accounting_resolved_series"
                f" where organization_id = %s and {target} is not null order by 1 limit 100",
                [organization_id],
            )
            found[target] = [name for (name,) in cursor.fetchall()]
    return found
