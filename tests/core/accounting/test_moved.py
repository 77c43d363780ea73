"""What a rule moved, told without the teams that are too small to be told of."""

from __future__ import annotations

from typing import Any

from core.accounting.moved import shown


def amount(records: int, kg: int) -> dict[str, int]:
    return {"series": 1, "records": records, "nkg": kg * 10**9}


def effect() -> dict[str, Any]:
    """What nobody had goes to legal (2 people), press (3) and vision (12), and a project with it."""
    return {
        "matched": amount(60, 60),
        "moved": amount(60, 60),
        "flows": {
            "team": [
                {"from": None, "to": "legal", **amount(10, 10)},
                {"from": None, "to": "press", **amount(20, 20)},
                {"from": None, "to": "vision", **amount(30, 30)},
            ],
            "project": [{"from": None, "to": "lawsuit", **amount(10, 10)}],
        },
        "teams": [
            {"team": None, "before_nkg": 60 * 10**9, "after_nkg": 0},
            {"team": "legal", "before_nkg": 0, "after_nkg": 10 * 10**9},
            {"team": "press", "before_nkg": 0, "after_nkg": 20 * 10**9},
            {"team": "vision", "before_nkg": 0, "after_nkg": 30 * 10**9},
        ],
        "changes_kg": False,
    }


def test_small_teams_and_projects_are_not_named_and_have_no_masses() -> None:
    told = shown(effect(), frozenset({"legal", "press"}))

    assert [
        (flow["dimension"], flow["from"], flow["to"], flow["series"], flow["records"]) for flow in told["flows"]
    ] == [
        ("team", "unattributed", "small groups", 2, 30),
        ("team", "unattributed", "vision", 1, 30),
        ("project", "unattributed", "small groups", 1, 10),
    ]
    assert [row["team"] for row in told["teams"]] == ["unattributed", "small groups", "vision"]
    assert told["withheld"] is True
    assert "legal" not in str(told)
    assert {flow["kg_co2e"] for flow in told["flows"]} == {None}


def test_large_teams_are_named_with_their_masses() -> None:
    told = shown(effect(), frozenset({"somebody else"}))

    assert [(row["team"], row["after_kg_co2e"]) for row in told["teams"]] == [
        ("unattributed", 0.0),
        ("legal", 10.0),
        ("press", 20.0),
        ("vision", 30.0),
    ]
    assert told["flows"][-1]["to"] == "lawsuit"
    assert (
        sum(flow["kg_co2e"] for flow in told["flows"] if flow["dimension"] == "team")
        == told["moved"]["kg_co2e"]
        == 60.0
    )
