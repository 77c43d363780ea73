"""
Software carbon intensity (ISO/IEC 21031) for any filter and period: the one selector behind page, API and command.

SCI = (O + M) / R, a ratio of sums over the same records: what has no unit, or no energy, is left out of both sums and its
share is told. Location-based only; no contract and no offset comes in. Consumer and provider scores are never merged.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import pandas as pd

from core.accounting.aggregate import Bounds
from core.accounting.columns import SUFFIXES
from core.accounting.figures import BOOKINGS, INCLUDES, Filter, FilterError
from core.accounting.models import View
from core.accounting.selectors import emissions, watermark
from core.accounting.selectors.conditions import folded_teams_of
from core.accounting.selectors.on_read import RUNS_AT_MOST
from core.accounting.small_groups import SMALL_GROUPS
from core.ledger.runs import runs
from core.organizations.tenancy import organization_scope
from core.quantification.intensity import Bounded, software_carbon_intensity
from reporting.intensities import words
from reporting.intensities.answer import EMBODIED, ENERGY, LOCATION, SciResult, SciRow
from reporting.intensities.denominators import NARROWED_BY, Figure, Key, Sum, sum_within
from reporting.intensities.units import RUN_STAGES, SCORES, FunctionalUnit
from reporting.selectors.denominators import series_figures

FOR_OPERATION: Final = (ENERGY, LOCATION)
"""What a record has to know to be in O = E x I: its energy, and the intensity of its grid."""

Group = tuple[object, ...]
"""Start of the slot (None without slots), then the value of each dimension that is grouped by."""


def sci(organization_id: int, asked: Filter, unit: FunctionalUnit, *, view: View | None = None) -> SciResult:
    """
    Score every group of a filter.

    Args:
        asked: period, dimensions, grouping and slots. Basis, parts and booking are those of the standard, no others.
        unit: R.
        view: another view than the current one.

    Raises:
        FilterError: a basis, booking or role that no SCI can rest on, or slots too fine for the figures.
    """
    refuse_others(asked, unit)
    with organization_scope(organization_id):
        reader = Reader(organization_id, asked, unit, view)
        rows = [row for score in unit.scores for row in reader.rows(score)]
        return SciResult(unit, rows, asked, watermark(organization_id))


def refuse_others(asked: Filter, unit: FunctionalUnit) -> None:
    """Hold a filter to what the standard allows, by the name of the parameter at fault."""
    if asked.basis != "location":
        raise FilterError("basis", "An SCI is location-based: no contract or certificate comes in (ISO/IEC 21031).")
    if asked.booking != BOOKINGS[0]:
        raise FilterError("booking", "An SCI holds the amortised embodied share: booking=life-cycle.")
    if asked.role != ("counted",):
        raise FilterError("role", "An SCI is of what is counted: cross-checks are shown beside, never added.")
    if set(asked.include) != set(INCLUDES):
        raise FilterError("include", "The parts of an SCI are those of the standard: leave include out.")
    if unit.given_by == "figures" and asked.grain == "hour":
        raise FilterError("grain", "Business figures are of days, months or quarters: choose a longer slot.")


@dataclass(frozen=True)
class Divisor:
    """R of one group, or why there is none."""

    units: float | None
    reason: str = ""


Read = tuple[dict[Group, pd.Series], dict[Group, float], dict[Group, Divisor]]
"""Sums that are divided, the energy in them whose embodied share is known [kWh], and what they are divided by."""


@dataclass(frozen=True)
class Reader:
    """Reads the sums and divisors of one question."""

    organization_id: int
    asked: Filter
    unit: FunctionalUnit
    view: View | None
    found: dict[str, pd.DataFrame] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What was read already, by what was asked: a divisor often looks at the groups that its sums look at."""

    def rows(self, score: str) -> list[SciRow]:
        """Score all groups by one of the two scores."""
        chosen = [stage for stage in SCORES[score] if stage in self.asked.dims.get("stage", SCORES[score])]
        if not chosen:
            return [] if self.asked.by else [SciRow(score, None, {}, reason=words.no_stage(score))]
        within = replace(self.asked, dims={**self.asked.dims, "stage": tuple(chosen)})
        everything = self.read(within)
        if everything.empty:
            nothing = SciRow(score, None, dict.fromkeys(self.asked.by), reason=words.no_records())
            return [] if self.asked.by or self.asked.grain != "total" else [nothing]
        counted, embodied, divisors = self.counted(within)
        return [
            self.row(score, group, whole, counted.get(group), embodied.get(group, 0.0), divisors)
            for group, whole in self.grouped(everything).items()
        ]

    def row(
        self,
        score: str,
        group: Group,
        whole: pd.Series,
        counted: pd.Series | None,
        embodied_energy_kwh: float,
        divisors: Mapping[Group, Divisor],
    ) -> SciRow:
        """Divide one group's sums, or say why not."""
        start = group[0]
        row = SciRow(
            score,
            start if isinstance(start, datetime) else None,
            {dim: None if value is None else str(value) for dim, value in zip(self.asked.by, group[1:], strict=True)},
        )
        divisor = divisors.get(group, Divisor(None, self.without_units()))
        if counted is None or divisor.units is None:
            reason = divisor.reason or words.no_energy()
            return replace(row, reason=reason, **left_out(whole, None, reason))
        sums = software_carbon_intensity(
            bounded(counted, ENERGY),  # type: ignore[arg-type]  # not null: FOR_OPERATION
            bounded(counted, LOCATION),  # type: ignore[arg-type]
            bounded(counted, EMBODIED),
            divisor.units,
        )
        energy_kwh = float(counted[ENERGY])
        return replace(
            row,
            records=int(counted["records"]),
            sums=sums,
            reason="" if sums.kg_per_unit else words.nothing_delivered(self.unit),
            embodied_known_share=embodied_energy_kwh / energy_kwh if energy_kwh else None,
            **left_out(whole, counted, words.left_out(self.unit)),
        )

    def counted(self, within: Filter) -> Read:
        """Read the sums that are divided, the energy in them whose embodied share is known, and what they are divided by."""
        if self.unit.given_by == "records":
            return self.by_records(within)
        if self.unit.given_by == "runs":
            return self.by_runs(within)
        return self.by_figures(within)

    # --- R of the records ------------------------------------------------------------------------------------------------

    def by_records(self, within: Filter) -> Read:
        """Divide by measures of the records: those that know them and their energy are in both sums."""
        counted, embodied = self.sums(within, self.unit.plus)
        divisors = {group: Divisor(self.delivered(row)) for group, row in counted.items()}
        with_units = self.grouped(self.read(within, known=self.unit.plus))
        for group in with_units:
            divisors.setdefault(group, Divisor(None, words.no_energy()))
        return counted, embodied, divisors

    def delivered(self, row: pd.Series) -> float:
        """Count the units of a group: what was added less what was in vain."""
        plus = sum(float(row[name]) for name in self.unit.plus)
        less = sum(float(row[name]) for name in self.unit.less if pd.notna(row[name]))
        return (plus - less) / self.unit.per

    def without_units(self) -> str:
        """Say why a group has no divisor at all."""
        if self.unit.given_by == "records":
            return words.not_by_records(self.unit)
        if self.unit.given_by == "runs":
            return words.no_runs()
        return words.none_entered(self.unit)

    # --- R of runs -------------------------------------------------------------------------------------------------------

    def by_runs(self, within: Filter) -> Read:
        """Divide training and fine-tuning that names its run by the number of runs; each row counts the runs it holds."""
        stages = tuple(stage for stage in within.dims["stage"] if stage in RUN_STAGES)
        found = runs(self.organization_id, within.starts_at, within.ends_at, RUNS_AT_MOST + 1)["run"].tolist()
        wanted = set(within.dims.get("run", found))
        names = tuple(name for name in found if name in wanted)
        everything = self.grouped(self.read(within))
        if len(found) > RUNS_AT_MOST:
            reason = words.too_many_runs(RUNS_AT_MOST)
            return {}, {}, {group: Divisor(None, reason) for group in everything}
        if not names or not stages:
            return {}, {}, {}
        of_runs = replace(within, dims={**within.dims, "stage": stages, "run": names})
        counted, embodied = self.sums(of_runs)
        each = of_runs if "run" in self.asked.by else replace(of_runs, by=(*self.asked.by, "run"))
        numbers = Counter(self.group_of(row) for _, row in self.read(each, known=FOR_OPERATION).iterrows())
        return counted, embodied, {group: Divisor(float(number)) for group, number in numbers.items()}

    # --- R of business figures -------------------------------------------------------------------------------------------

    def by_figures(self, within: Filter) -> Read:
        """
        Divide by figures that were entered, for what they are entered for.

        Figures of the whole organization go before those of its teams, projects or applications. A team whose figures do not
        fill the period is left out of both sums, and so is a figure of a team without records.
        """
        narrowed = {*self.asked.by, *self.asked.dims}
        found = series_figures(self.organization_id, self.unit, within.from_day, within.to_day)
        groups = self.grouped(self.read(within))
        if len(narrowed) > 1 or not narrowed <= set(NARROWED_BY):
            reason = words.not_told_apart(self.unit, sorted(narrowed))
            return {}, {}, {group: Divisor(None, reason) for group in groups}
        levels = sorted(narrowed) or ["", *NARROWED_BY]
        level = next((one for one in levels if any(key.level == one for key in found)), levels[0])
        if not level:
            return self.of_the_whole(within, groups, found[Key(self.unit.series, self.unit.currency)] if found else [])
        return self.of_parts(
            within, level, {key.narrowed_to: rows for key, rows in found.items() if key.level == level}
        )

    def of_the_whole(self, within: Filter, groups: Mapping[Group, pd.Series], rows: Sequence[Figure]) -> Read:
        """Divide by figures of the whole organization, slot by slot."""
        divisors = {}
        for group in groups:
            first, last = self.days_of(group)
            divisors[group] = self.divisor(sum_within(rows, first, last), entered=bool(rows))
        return self.divided(within, divisors)

    def of_parts(self, within: Filter, level: str, figures: Mapping[str, Sequence[Figure]]) -> Read:
        """Divide by figures of teams, projects or applications: each with its own records."""
        rows = self.read(replace(within, by=(level,)), known=() if self.asked.by else FOR_OPERATION)
        parts = {
            group: self.part(level, str(group[1]), figures, *self.days_of(group))
            for group in self.grouped(rows, (level,))
        }
        if not self.asked.by:
            return self.of_parts_together(within, level, parts)
        return self.divided(within, parts)

    def divided(self, within: Filter, divisors: dict[Group, Divisor]) -> Read:
        """Read the sums that are divided, where anything divides them."""
        if all(divisor.units is None for divisor in divisors.values()):
            return {}, {}, divisors
        counted, embodied = self.sums(within)
        return counted, embodied, divisors

    def of_parts_together(self, within: Filter, level: str, parts: Mapping[Group, Divisor]) -> Read:
        """Add up in each slot the teams, projects or applications that have figures, with the records of no others."""
        counted: dict[Group, pd.Series] = {}
        embodied: dict[Group, float] = {}
        divisors: dict[Group, Divisor] = {}
        complete: dict[Group, list[tuple[str, float]]] = defaultdict(list)
        for group, divisor in parts.items():
            if divisor.units is not None:
                complete[group[:1]].append((str(group[1]), divisor.units))
            else:
                divisors.setdefault(group[:1], divisor)
        for names in {tuple(name for name, _ in each) for each in complete.values()}:
            sums, known = self.sums(replace(within, dims={**within.dims, level: names}))
            for group, each in complete.items():
                if tuple(name for name, _ in each) == names and group in sums:
                    counted[group], embodied[group] = sums[group], known.get(group, 0.0)
                    divisors[group] = Divisor(sum(units for _, units in each))
        return counted, embodied, divisors

    def part(self, level: str, name: str, figures: Mapping[str, Sequence[Figure]], first: date, last: date) -> Divisor:
        """Add up what one team, project or application has; small teams only all together."""
        members = [name]
        if level == "team" and name == SMALL_GROUPS:
            members = sorted(folded_teams_of(self.organization_id))
        sums = [sum_within(figures.get(member, ()), first, last) for member in members]
        if all(sum_.value is not None for sum_ in sums):
            return Divisor(float(sum(sum_.value for sum_ in sums if sum_.value is not None)) / self.unit.per)
        if not any(member in figures for member in members):
            return Divisor(None, words.none_for(self.unit, level, name))
        return self.divisor(next(sum_ for sum_ in sums if sum_.value is None), entered=True)

    def divisor(self, sum_: Sum, *, entered: bool) -> Divisor:
        """Turn what was added up into R, or into the reason why there is none."""
        if sum_.value is not None:
            return Divisor(float(sum_.value) / self.unit.per)
        return Divisor(None, words.incomplete(self.unit, sum_) if entered else words.none_entered(self.unit))

    def days_of(self, group: Group) -> tuple[date, date]:
        """Give first and last day of a group's slot, inside the period."""
        start = group[0]
        if not isinstance(start, datetime):
            return self.asked.from_day, self.asked.to_day
        end = slot_end(start.date(), self.asked.grain)
        return max(start.date(), self.asked.from_day), min(end, self.asked.to_day)

    # --- reading ---------------------------------------------------------------------------------------------------------

    def sums(self, within: Filter, units: Sequence[str] = ()) -> tuple[dict[Group, pd.Series], dict[Group, float]]:
        """Read the sums of all records with energy and units, with intervals; and the energy whose embodied share is known."""
        known = (*units, *FOR_OPERATION)
        rows = self.read(within, known=known, bounds=(ENERGY, LOCATION, EMBODIED))
        embodied = self.grouped(self.read(within, known=(*known, EMBODIED)))
        return self.grouped(rows), {group: float(row[ENERGY]) for group, row in embodied.items()}

    def read(self, within: Filter, *, known: Sequence[str] = (), bounds: Bounds = False) -> pd.DataFrame:
        """Read figures by the groups of the question, each once."""
        name = repr((within, tuple(known), bounds))
        if name not in self.found:
            measures = [name for name in (*self.unit.plus, *self.unit.less) if name != "requests"]
            self.found[name] = emissions(
                self.organization_id, within, measures=measures, known=known, bounds=bounds, view=self.view
            ).rows
        return self.found[name]

    def grouped(self, rows: pd.DataFrame, by: Sequence[str] | None = None) -> dict[Group, pd.Series]:
        """Key rows by their slot and the dimensions that the question, or this reading, groups by."""
        return {self.group_of(row, by): row for _, row in rows.iterrows()}

    def group_of(self, row: pd.Series, by: Sequence[str] | None = None) -> Group:
        """Name the group of a row."""
        start = row["start"].to_pydatetime() if self.asked.grain != "total" else None
        return (start, *(None if pd.isna(row[name]) else row[name] for name in (self.asked.by if by is None else by)))


def bounded(row: pd.Series, name: str) -> Bounded | None:
    """Read a figure with its interval; None where it is not known."""
    return None if pd.isna(row[name]) else Bounded(*(float(row[name + suffix]) for suffix in SUFFIXES))


def left_out(whole: pd.Series, counted: pd.Series | None, reason: str) -> dict[str, Any]:
    """Tell what of a group's records is not in its score: how many, what is known of their O + M, and which share that is."""
    all_kg = known_kg(whole)
    counted_kg = 0.0 if counted is None else known_kg(counted) or 0.0
    records = int(whole["records"]) - (0 if counted is None else int(counted["records"]))
    kg = None if all_kg is None else all_kg - counted_kg if records else 0.0
    return {
        "left_out_records": records,
        "left_out_kg_co2e": kg,
        "left_out_share": kg / all_kg if kg is not None and all_kg else None,
        "left_out_reason": reason if records else "",
    }


def known_kg(row: pd.Series) -> float | None:
    """Add what is known of O and M. [kg CO2e]"""
    parts = [float(row[name]) for name in (LOCATION, EMBODIED) if pd.notna(row[name])]
    return sum(parts) if parts else None


def slot_end(start: date, grain: str) -> date:
    """
    Return the last day of a slot.

    >>> slot_end(date(2026, 2, 1), "month"), slot_end(date(2026, 7, 1), "quarter"), slot_end(date(2026, 6, 29), "week")
    (datetime.date(2026, 2, 28), datetime.date(2026, 9, 30), datetime.date(2026, 7, 5))
    """
    if grain in ("day", "week"):
        return start + timedelta(days=6 if grain == "week" else 0)
    months = start.year * 12 + start.month - 1 + {"month": 1, "quarter": 3, "year": 12}[grain]
    return date(months // 12, months % 12 + 1, 1) - timedelta(days=1)
