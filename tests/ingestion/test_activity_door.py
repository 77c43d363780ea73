"""POST /api/v1/activity: what is acknowledged is committed, and every row ends in exactly one place."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("committed_db")


def test_a_record_is_acknowledged_then_written(
    post: Any, drained: Any, record: Any, woken: Any, organization: Any
) -> None:
    answer = post("/api/v1/activity", [record()])

    assert answer.status_code == 202
    assert answer.json()["received"] == 1
    assert woken == [("drain", organization.id)]
    batch = drained(answer.json()["batch"])
    assert batch["state"] == "done"
    assert batch["counts"] == {"received": 1, "written": 1, "duplicate": 0, "quarantined": 0, "outside": 0}


def test_the_same_record_again_is_a_duplicate(post: Any, drained: Any, record: Any) -> None:
    body = [record()]
    drained(post("/api/v1/activity", body).json()["batch"])

    batch = drained(post("/api/v1/activity", body).json()["batch"])

    assert batch["counts"] == {"received": 1, "written": 0, "duplicate": 1, "quarantined": 0, "outside": 0}


def test_bad_lines_go_to_quarantine_alone(post: Any, drained: Any, record: Any) -> None:
    lines = [
        json.dumps(record("good")),
        "{broken",
        json.dumps(record("odd", colour="red")),
        json.dumps(record("also good")),
    ]

    answer = post("/api/v1/activity", "\n".join(lines).encode(), "application/x-ndjson")

    batch = drained(answer.json()["batch"])
    assert batch["counts"] == {"received": 4, "written": 2, "duplicate": 0, "quarantined": 2, "outside": 0}
    assert [(row["row"], row["reason"]) for row in batch["rejected"]] == [(2, "bad_field"), (3, "bad_field")]
    assert batch["rejected"][1] | {"detail": ""} == {
        "row": 3,
        "record_id": "odd",
        "field": "colour",
        "reason": "bad_field",
        "detail": "",
    }
