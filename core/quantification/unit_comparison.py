"""What the kinds of evidence of one coverage unit say, side by side: like with like, and what stays unexplained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from core.quantification.coverage import LEVELS, MODELLED_BILL, MODELLED_USE, STATED
from core.quantification.displacement import COMMON

NOT_COMPARABLE: Final = "not_comparable"
SAMPLING_UNKNOWN: Final = "sampling_unknown"
SAMPLING_TOLERANCE: Final = 0.05
"""Share by which spans may miss the tokens of the bill before they are taken for a sample."""

TOKENS: Final = ("output_tokens", "input_tokens")
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
        flags: ``not_comparable`` (two kinds of evidence share no measure), ``sampling_unknown`` (tokens of spans and of the
            bill differ by over 5 %).
        differences: sampled source to the share of tokens by which it differs from the bill.
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


def compare(rows: pd.DataFrame) -> UnitComparison:
    """
    Compare the evidence of one unit.

    Args:
        rows: ``source``, ``kind`` (of the source), ``level``, ``role``, ``records``, ``kg`` (NaN: not known), ``COMMON`` and the
            keys of `likeness.named_alike`.
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
    differences = token_differences(rows)
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


def token_differences(rows: pd.DataFrame) -> dict[str, float]:
    """
    Find sources of spans whose tokens differ from the bill's by over 5 %, in the models that both name.

    Args:
        rows: as `compare`.

    Returns:
        Source to (spans - bill) / bill.
    """
    bill = rows[rows["level"] == MODELLED_BILL]
    found = {}
    for source, own in rows[(rows["level"] == MODELLED_USE) & rows["kind"].str.startswith("otlp")].groupby("source"):
        for name in TOKENS:
            both = set(own.loc[own[name] > 0, "model_key"].dropna()) & set(
                bill.loc[bill[name] > 0, "model_key"].dropna()
            )
            if not both:
                continue
            spans, billed = (float(each.loc[each["model_key"].isin(both), name].sum()) for each in (own, bill))
            if np.abs(spans - billed) > SAMPLING_TOLERANCE * billed:
                found[str(source)] = (spans - billed) / billed
            break
    return found
