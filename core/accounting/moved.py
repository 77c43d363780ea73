"""What a change of attribution rules moved, as pages, the API and commands show it: kg, and nothing of a team too small."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from core.accounting.figures import UNATTRIBUTED
from core.accounting.small_groups import SMALL_GROUPS
from core.quantification import units


def shown(effect: Mapping[str, Any], folded: Collection[str] = ()) -> dict[str, Any]:
    """
    Write an effect in kg.

    Args:
        effect: `Effect.as_dict`.
        folded: teams that are too small to be shown by themselves: they are named ``small groups``, and so are projects
            where one of them gains or loses. No kg are shown then, since the difference would be that team's figure.

    Returns:
        ``matched`` and ``moved`` (series, records, kg_co2e), ``flows`` (dimension, from, to, series, records, kg_co2e),
        ``teams`` (team, before_kg_co2e, after_kg_co2e), ``changes_kg``, ``withheld``.
    """
    withheld = any(row["team"] in folded for row in effect["teams"])

    def kg(nkg: int) -> float | None:
        return None if withheld else nkg / units.PER_KG

    def amount(given: Mapping[str, Any]) -> dict[str, Any]:
        return {"series": given["series"], "records": given["records"], "kg_co2e": kg(given["nkg"])}

    flows = [
        {"dimension": target, **flow, **{end: name_of(target, flow[end], folded, withheld) for end in ("from", "to")}}
        for target, those in effect["flows"].items()
        for flow in those
    ]
    teams = [{**row, "team": name_of("team", row["team"], folded, withheld)} for row in effect["teams"]]
    return {
        "matched": amount(effect["matched"]),
        "moved": amount(effect["moved"]),
        "flows": [
            {**{name: flow[name] for name in ("dimension", "from", "to")}, **amount(flow)}
            for flow in _summed(flows, ("dimension", "from", "to"))
        ],
        "teams": [
            {"team": row["team"], "before_kg_co2e": kg(row["before_nkg"]), "after_kg_co2e": kg(row["after_nkg"])}
            for row in _summed(teams, ("team",))
        ],
        "changes_kg": effect["changes_kg"],
        "withheld": withheld,
    }


def name_of(dimension: str, name: str | None, folded: Collection[str], withheld: bool) -> str:
    """
    Name what something moves from or to.

    >>> name_of("team", "legal", {"legal"}, True), name_of("project", "robot", {"legal"}, True), name_of("team", None, {}, False)
    ('small groups', 'small groups', 'unattributed')
    """
    if not name:
        return UNATTRIBUTED
    hidden = name in folded if dimension == "team" else withheld and dimension == "project"
    return SMALL_GROUPS if hidden else name


def _summed(rows: Iterable[Mapping[str, Any]], by: Sequence[str]) -> list[dict[str, Any]]:
    """Add rows of one name up, in the order of their first."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[name] for name in by)
        if key in found:
            found[key] |= {name: found[key][name] + value for name, value in row.items() if name not in by}
        else:
            found[key] = dict(row)
    return list(found.values())
