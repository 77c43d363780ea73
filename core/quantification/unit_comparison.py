"""What the kinds of evidence of one coverage unit say, side by side: like with like, and what stays unexplained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from core.quantification.coverage import LEVELS, MODELLED_BILL, STATED
from core.quantification.displacement import COMMON, COMPARED
from core.quantification.signal_tokens import differences_in_unit

NOT_COMPARABLE: Final = "not_comparable"
SAMPLING_UNKNOWN: Final = "sampling_unknown"

KEY_OF: Final = {
    "device_hours": "hardware_key",
    "instance_hours": "instance_key",
    **dict.fromkeys(("requests", "output_tokens", "input_tokens"), "model_key"),
    "cost": "money_key",
    "reported_kg_co2e": "reported_key",
}


@dataclass(frozen=True)
class Evidence:
    """
    What one level of evidence says of a unit in a period.

    Args:
        counted_kg, cross_check_kg: of what counts, and of what better evidence covers; None: not known.
        amounts: of each of ``COMMON`` that it holds, in hours, requests and tokens.
    """

    level: str
    sources: tuple[str, ...]
    records: int
    counted_kg: float | None
    cross_check_kg: float | None
    amounts: dict[str, float] = field(default_factory=dict)

    @property
    def total_kg(self) -> float | None:
        """Return all that it says."""
        known = [each for each in (self.counted_kg, self.cross_check_kg) if each is not None]
        return sum(known) if known else None


@dataclass(frozen=True)
class SourceOverlap:
    """
    Two sources of one level that both describe the whole unit, such as two bills of one account.

    Args:
        stands: the one that goes first: by the unit's order, else by being linked first.
        other: what it says again is a cross-check, the rest of it counts.
        measure: of ``COMPARED``, the first that both hold; None: they do not compare, and both count whole.
        standing, overlapping: what each says of the kinds that both name. [hours, requests, tokens, currency units, kg]
        counted_kg, cross_check_kg: of the other. [kg CO2e]
    """

    level: str
    stands: str
    other: str
    measure: str | None
    standing: float | None
    overlapping: float | None
    counted_kg: float
    cross_check_kg: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain values that JSON takes."""
        return {
            "level": self.level,
            "stands": self.stands,
            "other": self.other,
            "measure": self.measure,
            "standing": self.standing,
            "overlapping": self.overlapping,
            "counted_kg_co2e": self.counted_kg,
            "cross_check_kg_co2e": self.cross_check_kg,
        }


@dataclass(frozen=True)
class UnitComparison:
    """
    One unit.

    Args:
        evidence: by level, best first.
        measure: of ``COMMON``, in which the share is said; None: no two levels hold the same.
        covered_share: of the worst modelled evidence in this measure, how much better evidence covers; None: nothing to compare.
        gap_kg: what the covered part would weigh by the worse evidence, less what the better evidence says of it; None: they do
            not compare.
        flags: ``not_comparable`` (two kinds of evidence, or two sources of one kind, share no measure), ``sampling_unknown``
            (tokens of spans differ by over 5 % from those of metrics or of the bill).
        differences: source of spans to the share of tokens by which it differs most.
        overlaps: of sources within a level, best first.
    """

    evidence: tuple[Evidence, ...]
    measure: str | None
    covered_share: float | None
    gap_kg: float | None
    flags: tuple[str, ...]
    differences: dict[str, float]
    overlaps: tuple[SourceOverlap, ...] = ()

    def of(self, level: str) -> Evidence | None:
        """Return what one level says."""
        return next((each for each in self.evidence if each.level == level), None)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values that JSON takes."""
        return {
            "evidence": [
                {
                    "level": each.level,
                    "sources": list(each.sources),
                    "records": each.records,
                    "kg_co2e": each.total_kg,
                    "counted_kg_co2e": each.counted_kg,
                    "cross_check_kg_co2e": each.cross_check_kg,
                    **each.amounts,
                }
                for each in self.evidence
            ],
            "measure": self.measure,
            "covered_share": self.covered_share,
            "gap_kg_co2e": self.gap_kg,
            "flags": list(self.flags),
            "token_differences": self.differences,
            "overlaps": [each.as_dict() for each in self.overlaps],
        }


def compare(rows: pd.DataFrame, tokens: pd.DataFrame) -> UnitComparison:
    """
    Compare the evidence of one unit.

    Args:
        rows: ``source``, ``level``, ``rank`` and ``part`` (of the source's evidence in the unit, see `coverage.ranks_of`),
            ``role``, ``records``, ``kg`` (NaN: not known), ``COMPARED`` and their keys of ``KEY_OF``.
        tokens: of spans and metrics in the unit, as `signal_tokens.differences_in_unit` takes them.
    """
    found = tuple(_evidence(rows[rows["level"] == level], level) for level in LEVELS if (rows["level"] == level).any())
    modelled = [each for each in found if each.level != STATED]
    worst = modelled[-1] if len(modelled) > 1 else None
    measure, share, gap, flags = None, None, None, []
    if worst is not None:
        own, better = rows[rows["level"] == worst.level], rows[~rows["level"].isin([worst.level, STATED])]
        measure = _common(own, better)
        if measure is not None:
            share, gap = _share(own, measure), _gap(own, better, measure)
    overlaps = tuple(overlap for each in found for overlap in _overlaps(rows[rows["level"] == each.level], each.level))
    if (worst is not None and measure is None) or any(each.measure is None for each in overlaps):
        flags.append(NOT_COMPARABLE)
    differences = differences_in_unit(tokens, rows[rows["level"] == MODELLED_BILL])
    if differences:
        flags.append(SAMPLING_UNKNOWN)
    return UnitComparison(found, measure, share, gap, tuple(flags), differences, overlaps)


def _overlaps(rows: pd.DataFrame, level: str) -> list[SourceOverlap]:
    """Compare each source that describes the whole unit with the better ones of its level; what has no figure counts nothing."""
    known = rows[rows["kg"].notna() & ~rows["part"].astype(bool)]
    order = known.groupby("source", sort=True)["rank"].min().sort_values(kind="stable")
    sources = [(str(name), known[known["source"] == name]) for name in order.index]
    return [_overlap(sources[:at], *sources[at], level) for at in range(1, len(sources))]


def _overlap(better: list[tuple[str, pd.DataFrame]], other: str, own: pd.DataFrame, level: str) -> SourceOverlap:
    """Compare with the first better source that shares a measure; with the best, which counts beside, where none does."""
    common = ((name, rows, _common(own, rows)) for name, rows in better)
    stands, rows, measure = next((each for each in common if each[2] is not None), (*better[0], None))
    standing = overlapping = None
    if measure is not None:
        key = KEY_OF[measure]
        both = set(own.loc[own[measure] > 0, key].dropna()) & set(rows.loc[rows[measure] > 0, key].dropna())
        standing, overlapping = (float(each.loc[each[key].isin(both), measure].sum()) for each in (rows, own))
    kg = {role: float(own.loc[own["role"] == role, "kg"].sum()) for role in ("counted", "cross_check")}
    return SourceOverlap(level, stands, other, measure, standing, overlapping, kg["counted"], kg["cross_check"])


def _evidence(rows: pd.DataFrame, level: str) -> Evidence:
    kg = {role: rows.loc[rows["role"] == role, "kg"] for role in ("counted", "cross_check")}
    return Evidence(
        level=level,
        sources=tuple(sorted(set(rows["source"]))),
        records=int(rows["records"].sum()),
        counted_kg=None if kg["counted"].isna().all() else float(kg["counted"].sum()),
        cross_check_kg=None if kg["cross_check"].isna().all() else float(kg["cross_check"].sum()),
        amounts={name: float(rows[name].sum()) for name in COMMON if rows[name].fillna(0).abs().sum() > 0},
    )


def _common(worse: pd.DataFrame, better: pd.DataFrame) -> str | None:
    """Name the first measure that both hold of the same hardware, instance type or model."""
    for name in COMPARED:
        kinds = [set(rows.loc[rows[name] > 0, KEY_OF[name]].dropna()) for rows in (worse, better)]
        if kinds[0] & kinds[1]:
            return name
    return None


def _share(worse: pd.DataFrame, measure: str) -> float | None:
    whole = float(worse[measure].sum())
    covered = float(worse.loc[worse["role"] == "cross_check", measure].sum())
    return covered / whole if whole > 0 else None


def _gap(worse: pd.DataFrame, better: pd.DataFrame, measure: str) -> float | None:
    """
    Weigh the covered activity by both kinds of evidence: the worse as it would have counted, the better as it does.

    Only the part of the better evidence that meets the worse is in it, by the measure, kind by kind.
    """
    key = KEY_OF[measure]
    checks = worse[(worse["role"] == "cross_check") & worse["kg"].notna()]
    counted = better[(better["role"] == "counted") & better["kg"].notna() & (better[measure] > 0)]
    gap, met = 0.0, False
    for kind, own in checks.groupby(key):
        other = counted[counted[key] == kind]
        held = float(other[measure].sum())
        if held > 0:
            met = True
            part = min(1.0, float(own[measure].sum()) / held)
            gap += float(own["kg"].sum()) - part * float(other["kg"].sum())
    return gap if met else None
