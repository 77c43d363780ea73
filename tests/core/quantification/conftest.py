"""The shipped factor pack, read once, and one-line activity for tests of the core."""

from __future__ import annotations

import pandas as pd
import pytest

from core.factors.pack import load_pack
from core.quantification.activity import MASK_BITS, MEASURES
from core.quantification.answer import override_columns
from core.quantification.methods import LATEST
from core.quantification.overrides import parse_overrides
from core.quantification.plan import Plan
from core.quantification.quantify import quantify
from core.quantification.use import USE_TEXT

_UTILIZED = {"device_hours": "device", "instance_hours": "instance"}


@pytest.fixture(scope="session")
def pack():
    return load_pack()


class One:
    """The result of one record: impacts by name, and its plan."""

    def __init__(self, impacts: pd.Series, plan: Plan) -> None:
        self.impacts = impacts
        self.plan = plan

    def __getitem__(self, name: str) -> float:
        return float(self.impacts[name])

    def bounds(self, impact: str) -> tuple[float, float, float]:
        return self[impact], self[f"{impact}_low"], self[f"{impact}_high"]

    def factor(self, name: str) -> dict[str, object]:
        return next(factor for factor in self.plan.factors if factor["name"] == name)


@pytest.fixture
def one(pack):
    """Quantify one record given by its columns; what is not said is absent."""

    def run(*, factors=None, methodology=LATEST, year=2026, within=None, **record) -> One:
        row = dict.fromkeys(USE_TEXT) | {"stage": "training", "hosting": "owned", "evidence": "measured", "year": year}
        row["techniques"] = record.pop("techniques", ())
        row["mask"] = sum(1 << MASK_BITS[name] for name in record if name in MASK_BITS)
        for measure in MEASURES:
            amount = record.get(measure.source, 0)
            row[measure.column] = amount / 1e9 if measure.source == "flops" else amount * measure.per_unit
        for hours, kind in _UTILIZED.items():
            load, held = record.get(f"{kind}_utilization", 0), record.get(hours, 0)
            parts = {"low": min(load, 0.1), "middle": min(max(load - 0.1, 0), 0.4), "high": max(load - 0.5, 0)}
            row |= {f"{kind}_{part}_nh": held * share * 1e9 for part, share in parts.items()}
        row |= {name: value for name, value in record.items() if name in USE_TEXT}
        frame = pd.DataFrame([row])
        given = None if factors is None else override_columns([parse_overrides(factors)], frame.index)
        result = quantify(frame, within or pack, methodology, given)
        return One(result.impacts.iloc[0], result.plans[0])

    return run
