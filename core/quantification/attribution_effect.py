"""What a change of attribution rules moves: from whom to whom, exact to the stored integers. Values in, values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.quantification.attribute import attribute
from core.quantification.attribution_rules import FACTORS_FOLLOW, TARGETS, Rule, by_rules, fitting

SUMS: Final = ("records", "nkg")
SAMPLE_ROWS: Final = 20
NOBODY: Final = ""


@dataclass(frozen=True)
class Amount:
    """Distinct series, their records, and kg CO2e in integers of 1e-9."""

    series: int
    records: int
    nkg: int

    def as_dict(self) -> dict[str, int]:
        """Return plain values."""
        return {"series": self.series, "records": self.records, "nkg": self.nkg}


@dataclass(frozen=True)
class Effect:
    """
    What a change moves.

    Args:
        matched: what meets the conditions of the rules asked about, moved or not.
        moved: what some dimension changes of.
        flows: dimension to its flows, ``(from, to, amount)``, the largest first; None: nobody.
        teams: ``(team, nkg before, nkg after)`` of the teams that gain or lose, nobody first; None: nobody.
        sample: of what moves, the largest first: row of the subjects, what it was attributed to and what it will be.
        changes_kg: stage, site or hosting move too, on which factors depend: kg may change when the days are derived.
    """

    matched: Amount
    moved: Amount
    flows: Mapping[str, list[tuple[str | None, str | None, Amount]]]
    teams: list[tuple[str | None, int, int]]
    sample: list[tuple[int, dict[str, str | None], dict[str, str | None]]]
    changes_kg: bool

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON takes; the sample is left out."""
        return {
            "matched": self.matched.as_dict(),
            "moved": self.moved.as_dict(),
            "flows": {
                target: [{"from": old, "to": new, **amount.as_dict()} for old, new, amount in flows]
                for target, flows in self.flows.items()
            },
            "teams": [{"team": team, "before_nkg": before, "after_nkg": after} for team, before, after in self.teams],
            "changes_kg": self.changes_kg,
        }


def attributed(
    subjects: pd.DataFrame, rules: Sequence[Rule], source_settings: Mapping[int, Mapping[str, Any]]
) -> pd.DataFrame:
    """
    Attribute subjects as derive does: rules first, then the defaults of their source.

    Returns:
        ``TARGETS``, same index; None where nobody is known.
    """
    done = attribute(by_rules(subjects, rules), source_settings)[list(TARGETS)].astype(object)
    return done.where(done.notna(), None)


def differing(before: pd.DataFrame, after: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Tell where two attributions of the same subjects differ in some dimension. [rows]"""
    return np.asarray((before.fillna(NOBODY).to_numpy() != after.fillna(NOBODY).to_numpy()).any(axis=1), dtype=bool)


def effect_of(
    subjects: pd.DataFrame,
    sums: pd.DataFrame,
    before: Sequence[Rule],
    after: Sequence[Rule],
    source_settings: Mapping[int, Mapping[str, Any]],
    asked: Sequence[Rule] = (),
) -> Effect:
    """
    Compare two lists of rules over what was used.

    Args:
        subjects: series as reported, with ``series_id`` and ``day``; one for each time that the rules are the same. [n]
        sums: ``SUMS`` of each subject: records, and kg CO2e in integers of 1e-9 that count. [n]
        asked: rules whose matches are counted.
    """
    old, new = (attributed(subjects, rules, source_settings) for rules in (before, after))
    moved = differing(old, new)
    matched = np.asarray(fitting(subjects, asked).any(axis=0), dtype=np.bool_)
    ids = subjects["series_id"].to_numpy(dtype=np.int64)
    records, nkg = (sums[name].to_numpy(dtype=np.int64) for name in SUMS)
    flows = {}
    for target in TARGETS:
        changed = differing(old[[target]], new[[target]])
        if changed.any():
            flows[target] = _flows(
                old[target][changed], new[target][changed], ids[changed], records[changed], nkg[changed]
            )
    order = np.flatnonzero(moved)[np.argsort(-nkg[moved], kind="stable")][:SAMPLE_ROWS]
    return Effect(
        matched=_amount(ids, records, nkg, matched),
        moved=_amount(ids, records, nkg, moved),
        flows=flows,
        teams=_teams(old["team"], new["team"], nkg),
        sample=[(int(at), _row(old, at), _row(new, at)) for at in order],
        changes_kg=any(target in flows for target in FACTORS_FOLLOW),
    )


def periods(boundaries: Sequence[date]) -> list[tuple[date | None, date | None]]:
    """
    Cut all time at some days, half-open.

    >>> periods([date(2026, 7, 1)])
    [(None, datetime.date(2026, 7, 1)), (datetime.date(2026, 7, 1), None)]
    """
    ends = [None, *boundaries, None]
    return list(pairwise(ends))


def _row(attribution: pd.DataFrame, at: np.int64) -> dict[str, str | None]:
    return {str(target): name for target, name in attribution.iloc[int(at)].to_dict().items()}


def _amount(
    ids: npt.NDArray[np.int64],
    records: npt.NDArray[np.int64],
    nkg: npt.NDArray[np.int64],
    chosen: npt.NDArray[np.bool_],
) -> Amount:
    return Amount(len(np.unique(ids[chosen])), _exact(records[chosen]), _exact(nkg[chosen]))


def _exact(values: npt.NDArray[np.int64]) -> int:
    """Add up in Python's integers: a year of a large organization leaves 64 bits."""
    return sum(values.tolist())


def _flows(
    old: pd.Series,
    new: pd.Series,
    ids: npt.NDArray[np.int64],
    records: npt.NDArray[np.int64],
    nkg: npt.NDArray[np.int64],
) -> list[tuple[str | None, str | None, Amount]]:
    code, pairs = pd.factorize(pd.Series(list(zip(old, new, strict=True)), dtype=object))
    flows = [(pair[0], pair[1], _amount(ids, records, nkg, code == at)) for at, pair in enumerate(pairs)]
    return sorted(flows, key=lambda flow: (-flow[2].nkg, -flow[2].records, str(flow[0]), str(flow[1])))


def _teams(old: pd.Series, new: pd.Series, nkg: npt.NDArray[np.int64]) -> list[tuple[str | None, int, int]]:
    """Add kg up by team before and after, of the teams that something moves from or to."""
    touched = set(old[differing(old.to_frame(), new.to_frame())]) | set(new[differing(old.to_frame(), new.to_frame())])
    rows = []
    for team in sorted(touched, key=lambda each: (each is not None, str(each))):
        own_old, own_new = (np.array([each == team for each in side], dtype=bool) for side in (old, new))
        rows.append((team, _exact(nkg[own_old]), _exact(nkg[own_new])))
    return rows
