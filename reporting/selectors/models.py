"""Models: what each was used for, what it emits per 1,000 output tokens, and of which parts that is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import pandas as pd

from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.selectors import emissions
from core.accounting.selectors.comparison import comparison
from core.accounting.selectors.techniques import techniques_by_model
from core.quantification.comparison import Comparison
from reporting.selectors.overview import (
    TOTAL,
    Amount,
    Row,
    amount,
    bounded,
    evidence_shares_by,
    key_of,
    leading,
    not_listed,
    ranked_rows,
    value_or_none,
)

GROUPED: Final = ("team", "model", "stage", "provider", "hosting", "tier", "evidence")
TOKENS: Final = ("input_tokens", "cached_input_tokens", "output_tokens")
UNIT: Final = "output_tokens"
MOST_COMPARED: Final = 4


@dataclass(frozen=True)
class ModelRow:
    """
    A model of the table.

    Args:
        row: its emissions and what they were.
        hostings, tiers, techniques: that its uses name.
        requests, tokens: of the period; None where nobody counted them. Tokens by ``TOKENS``; cached are part of input.
        per_1000: emissions of inference that counts output tokens, per 1,000 of them. [kg CO2e]
        inference_kg: electricity of inference; other_kg: that of every other stage; then upstream and embodied. [kg CO2e]
        shares: evidence to its share.
    """

    row: Row
    hostings: list[str]
    tiers: list[str]
    techniques: list[str]
    requests: float | None
    tokens: dict[str, float | None]
    per_1000: Amount
    inference_kg: float | None
    other_kg: float | None
    upstream_kg: float | None
    embodied_kg: float | None
    shares: dict[str, float]

    @property
    def cached_share(self) -> float | None:
        """Return the share of input tokens that came from a cache."""
        read, cached = self.tokens["input_tokens"], self.tokens["cached_input_tokens"]
        return cached / read if read and cached is not None else None


@dataclass(frozen=True)
class Models:
    """
    The table.

    Args:
        rows: the models that are listed, the largest first.
        not_listed: how many more there are, and their emissions. [models, kg CO2e]
    """

    rows: list[ModelRow]
    not_listed: tuple[int, float]
    as_of: datetime


def models_of(
    organization_id: int, filtered: Filter, before: Filter | None, *, view: View | None, most: int | None = None
) -> Models:
    """
    Read the models of the period, the largest first; what names none is ``unattributed``, and always among them.

    Args:
        filtered: period, filters, basis and parts.
        before: the period to compare with, or None.
        most: how many are listed; None: all.
    """
    plain = replace(filtered, by=GROUPED, grain="total")
    measures = (*TOKENS, "failed_requests")
    now = emissions(organization_id, plain, measures=measures, bounds=False, view=view)
    then = (
        emissions(
            organization_id, replace(before, by=GROUPED, grain="total"), measures=measures, bounds=False, view=view
        )
        if before
        else None
    )
    techniques = techniques_by_model(organization_id, view, plain) if view is not None else {}
    of_model = _Details.of(now.rows, filtered)
    ranked = ranked_rows(now.rows, None if then is None else then.rows, "model")
    listed = leading(ranked, most)
    per_1000 = per_1000_tokens(organization_id, filtered, [row.key for row in listed], view=view)
    rows = [
        of_model.row(each, per_1000, techniques)
        for each in bounded(organization_id, filtered, listed, "model", view=view)
    ]
    return Models(rows, not_listed(ranked, listed), now.as_of)


@dataclass(frozen=True)
class _Details:
    """What the table says of each model beside its emissions, by the model's key; NaN where nothing is known."""

    sums: dict[str, dict[str, float]]
    names: dict[str, dict[str, list[str]]]
    shares: dict[str, dict[str, float]]

    @classmethod
    def of(cls, rows: pd.DataFrame, filtered: Filter) -> _Details:
        keys = rows["model"].map(key_of)
        electricity, inference = rows[f"{filtered.basis}_kg_co2e"], rows["stage"] == "inference"
        columns = {name: rows[name] for name in ("requests", *TOKENS)}
        columns |= {part: rows[f"{part}_kg_co2e"] for part in filtered.include}
        columns |= {"inference": electricity.where(inference), "other": electricity.mask(inference)}
        sums = pd.DataFrame(columns).astype(float).groupby(keys).sum(min_count=1)
        names = {name: _named(keys, rows[name]) for name in ("hosting", "tier")}
        return cls(sums.to_dict("index"), names, evidence_shares_by(rows, keys))  # type: ignore[arg-type]

    def row(self, row: Row, per_1000: Mapping[str, Amount], techniques: Mapping[str, list[str]]) -> ModelRow:
        own = {name: value_or_none(value) for name, value in self.sums[row.key].items()}
        return ModelRow(
            row=row,
            hostings=self.names["hosting"].get(row.key, []),
            tiers=self.names["tier"].get(row.key, []),
            techniques=techniques.get(row.key, []),
            requests=own["requests"] or None,
            tokens={name: own[name] for name in TOKENS},
            per_1000=per_1000.get(row.key, Amount(None, None, None)),
            inference_kg=own["inference"],
            other_kg=own["other"],
            upstream_kg=own.get("upstream"),
            embodied_kg=own.get("embodied"),
            shares=self.shares.get(row.key, {}),
        )


def _named(keys: pd.Series, column: pd.Series) -> dict[str, list[str]]:
    """List the values that each key has, sorted; a key without any is left out."""
    found: dict[str, set[str]] = {}
    for key, value in zip(keys, column, strict=True):
        if not pd.isna(value):
            found.setdefault(key, set()).add(value)
    return {key: sorted(values) for key, values in found.items()}


def serving(filtered: Filter) -> Filter | None:
    """Narrow a filter to inference; None where it asks for other stages only."""
    stages = filtered.dims.get("stage", ("inference",))
    if "inference" not in stages:
        return None
    return replace(filtered, by=("model",), grain="total", dims={**filtered.dims, "stage": ("inference",)})


def per_1000_tokens(
    organization_id: int, filtered: Filter, keys: Sequence[str], *, view: View | None
) -> dict[str, Amount]:
    """Give the named models' emissions per 1,000 output tokens with the reported interval: a ratio of sums. [kg CO2e]"""
    asked = serving(filtered) if keys else None
    if asked is None:
        return {}
    asked = replace(asked, dims={**asked.dims, "model": tuple(keys)})
    rows = emissions(organization_id, asked, measures=(UNIT,), known=(UNIT,), view=view).rows
    found = {}
    for _, row in rows.iterrows():
        thousands = (value_or_none(row[UNIT]) or 0.0) / 1000
        if thousands > 0:
            kg = amount(row, TOTAL)
            found[key_of(row["model"])] = Amount(
                *(None if each is None else each / thousands for each in (kg.value, kg.low, kg.high))
            )
    return found


def compared_models(organization_id: int, filtered: Filter, *, view: View | None) -> Comparison | None:
    """Compare the models of a filter by their emissions per output token; None where fewer than two have both."""
    asked = serving(filtered)
    return None if asked is None else comparison(organization_id, asked, by="model", measure=UNIT, view=view)
