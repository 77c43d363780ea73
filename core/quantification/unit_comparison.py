"""What the kinds of evidence of one coverage unit say, side by side: like with like, and what stays unexplained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from core.quantification.coverage import LEVELS, MODELLED_BILL, STATED
from core.quantification.displacement import COMMON
from core.quantification.signal_tokens import differences_in_unit

NOT_COMPARABLE: Final = "not_comparable"
SAMPLING_UNKNOWN: Final = "sampling_unknown"

KEY_OF: Final = {
    "device_hours": "hardware_key",
    "instance_hours": "instance_key",
    **dict.fromkeys(("requests", "output_tokens", "input_tokens"), "model_key"),
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
class UnitComparison:
    """
    One unit.

    Args:
        evidence: by level, best first.
        measure: of ``COMMON``, in which the share is said; None: no two levels hold the same.
        covered_share: of the worst modelled evidence in this measure, how much better evidence covers; None: nothing to compare.
        gap_kg: what the covered part would weigh by the worse evidence, less what the better evidence says of it; None: they do
            not compare.
        flags: ``not_comparable`` (two kinds of evidence share no measure), ``sampling_unknown`` (tokens of spans differ by over
            5 % from those of metrics or of the bill).
        differences: source of spans to the share of tokens by which it differs most.
    """

    evidence: tuple[Evidence, ...]
    measure: str | None
    covered_share: float | None
    gap_kg: float | None
    flags: tuple[str, ...]
    differences: dict[str, float]

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
        }


def compare(rows: pd.DataFrame, tokens: pd.DataFrame) -> UnitComparison:
    """
    Compare the evidence of one unit.

    Args:
        rows: ``source``, ``kind`` (of the source), ``level``, ``role``, ``records``, ``kg`` (NaN: not known), ``COMMON`` and the
            keys of `likeness.named_alike`.
        tokens: of spans and metrics in the unit, as `signal_tokens.differences_in_unit` takes them.
    """
    found = tuple(_evidence(rows[rows["level"] == level], level) for level in LEVELS if (rows["level"] == level).any())
    modelled = [each for each in found if each.level != STATED]
    worst = modelled[-1] if len(modelled) > 1 else None
    measure, share, gap, flags = None, None, None, []
    if worst is not None:
        own, better = rows[rows["level"] == worst.level], rows[~rows["level"].isin([worst.level, STATED])]
        measure = _common(own, better)
        if measure is None:
            flags.append(NOT_COMPARABLE)
        else:
            share, gap = _share(own, measure), _gap(own, better, measure)
    differences = differences_in_unit(tokens, rows[rows["level"] == MODELLED_BILL])
    if differences:
        flags.append(SAMPLING_UNKNOWN)
    return UnitComparison(found, measure, share, gap, tuple(flags), differences)


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
    for name in COMMON:
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
