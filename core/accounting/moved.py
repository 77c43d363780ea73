"""What a change of attribution rules moved, as pages, the API and commands show it: kg, and nothing of a team too small."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from core.accounting.figures import UNATTRIBUTED
from core.quantification import units


def shown(effect: Mapping[str, Any], folded: Collection[str] = ()) -> dict[str, Any]:
    """
    Write an effect in kg.

    Args:
        effect: `Effect.as_dict`.
        folded: teams that are too small to be shown by themselves; where one of them gains or loses, no kg are shown, since
            the difference would be that team's figure.

    Returns:
        ``matched`` and ``moved`` (series, records, kg_co2e), ``flows`` (dimension, from, to, series, records, kg_co2e),
        ``teams`` (team, before_kg_co2e, after_kg_co2e), ``changes_kg``, ``withheld``.
    """
    withheld = any(row["team"] in folded for row in effect["teams"])

    def kg(nkg: int) -> float | None:
        return None if withheld else nkg / units.PER_KG

    def amount(given: Mapping[str, Any]) -> dict[str, Any]:
        return {"series": given["series"], "records": given["records"], "kg_co2e": kg(given["nkg"])}

    return {
        "matched": amount(effect["matched"]),
        "moved": amount(effect["moved"]),
        "flows": [
            {
                "dimension": target,
                "from": flow["from"] or UNATTRIBUTED,
                "to": flow["to"] or UNATTRIBUTED,
                **amount(flow),
            }
            for target, flows in effect["flows"].items()
            for flow in flows
        ],
        "teams": [
            {
                "team": row["team"] or UNATTRIBUTED,
                "before_kg_co2e": kg(row["before_nkg"]),
                "after_kg_co2e": kg(row["after_nkg"]),
            }
            for row in effect["teams"]
        ],
        "changes_kg": effect["changes_kg"],
        "withheld": withheld,
    }
