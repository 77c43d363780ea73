"""Seats of assistants: counted by team and month, with nobody's name, and each seat once."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from core.quantification.rejections import Cover
from ingestion.sources import assistant_seats
from ingestion.sources.base import Context, UnreadablePayload
from tests.ingestion.sources.samples import PAYLOADS, RECEIVED_AT, activity_of, check, expected, read

FOLDER = PAYLOADS / "assistant_seats"
COPILOT = "copilot-seats-2026-10.json"
SEATS = json.loads((FOLDER / COPILOT).read_text())


def template(**changes: Any) -> bytes:
    row = {"month": "2026-10", "vendor": "OpenAI", "product": "ChatGPT Enterprise", "team": "Legal", "seats": 10}
    return json.dumps([{**row, **changes}, row | {"team": "Sales"}]).encode()


@pytest.mark.parametrize("entry", expected("assistant_seats", "assistant_seats"))
def test_files_reach_their_sums(entry: dict[str, Any]) -> None:
    [file] = entry["files"]
    parsed = read(assistant_seats, (FOLDER / file).read_bytes(), filename=file)

    assert sum(each.received for each in parsed) == entry["counts"]["received"]
    assert sum(each.outside for each in parsed) == entry["counts"]["outside"]
    check(activity_of(parsed), entry)


def test_record_is_found_by_a_seat_factor() -> None:
    """Own factors are chosen by provider and application; no model and no hardware is known of a seat."""
    [parsed] = read(assistant_seats, template(active_users=7))

    record = parsed.activity.iloc[0]
    assert (record["provider"], record["application"], record["hosting"]) == ("openai", "ChatGPT Enterprise", "api")
    assert (record["seat_months"], record["labels"]) == (10, {"active_users": 7})
    assert record[["model", "hardware", "input_tokens", "requests"]].isna().all()
    assert (record["started_at"], record["ended_at"]) == (
        datetime(2026, 10, 1, tzinfo=UTC),
        datetime(2026, 11, 1, tzinfo=UTC),
    )


def test_seats_whose_tokens_another_source_reports_are_left_to_it() -> None:
    [parsed] = read(assistant_seats, template(metered_seats=4))

    assert parsed.activity["seat_months"].tolist() == [6, 10]


def test_file_speaks_for_its_products_and_months() -> None:
    [parsed] = read(assistant_seats, template())

    assert parsed.cover == [Cover("assistant_seats:openai:ChatGPT Enterprise:2026-10", {"account": None})]


@pytest.mark.parametrize("file", ["people.csv", COPILOT])
def test_no_person_is_stored(file: str) -> None:
    names = ("lovelace", "hopper", "lamarr", "turing", "johnson", "avatars", "MDQ6", "@")

    stored = assistant_seats.scrub((FOLDER / file).read_bytes(), "", file)
    [parsed] = assistant_seats.parse(io.BytesIO(stored), Context(RECEIVED_AT, filename=file))

    assert len(parsed.activity)
    assert not [name for name in names if name in stored.decode() or name in parsed.activity.to_csv()]


def test_counting_again_what_was_counted_changes_nothing() -> None:
    once = assistant_seats.scrub((FOLDER / COPILOT).read_bytes(), "")

    assert assistant_seats.scrub(once, "") == once


def test_copilot_seat_of_two_teams_is_one() -> None:
    [parsed] = read(assistant_seats, (FOLDER / COPILOT).read_bytes(), filename=COPILOT)

    by_team = parsed.activity.set_index("team")["seat_months"]
    assert by_team["Search"] == 2.5
    assert by_team["Platform"] == 0.5
    assert parsed.log == ["1 seats were given after 2026-10"]


def test_copilot_month_comes_from_the_setting_or_the_name_and_is_not_guessed() -> None:
    body = (FOLDER / COPILOT).read_bytes()

    [by_setting] = read(assistant_seats, body, filename="seats.json", setting={"month": "2026-09"})
    assert set(by_setting.activity["started_at"].dt.month) == {9}
    with pytest.raises(UnreadablePayload, match=r"copilot-seats-2026-10\.json"):
        read(assistant_seats, body, filename="seats.json")


def test_copilot_sum_beside_its_seats_and_metrics_are_outside() -> None:
    billing = json.loads((FOLDER / "copilot-billing-2026-10.json").read_text())
    metrics = {"date": "2026-10-05", "total_active_users": 24, "copilot_ide_chat": {"total_engaged_users": 13}}

    [parsed] = read(assistant_seats, json.dumps([SEATS, billing, metrics]).encode(), filename=COPILOT)

    assert parsed.activity["seat_months"].sum() == 4
    assert (parsed.received, parsed.outside) == (8, 3)


def test_month_that_is_not_over_waits() -> None:
    [parsed] = read(assistant_seats, template(), received_at=datetime(2026, 10, 20, tzinfo=UTC))

    assert (parsed.outside, len(parsed.activity), parsed.cover) == (2, 0, [])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"month": "October"}, "month"),
        ({"month": "2026-13"}, "month"),
        ({"vendor": ""}, "vendor"),
        ({"seats": "many"}, "seats"),
        ({"seats": None}, "seats"),
        ({"seats": -1}, "seats"),
        ({"metered_seats": 11}, "metered_seats"),
        ({"active_users": 1.5}, "active_users"),
        ({"cost": 3.0}, "currency"),
    ],
)
def test_bad_row_goes_alone(changes: dict[str, Any], field: str) -> None:
    [parsed] = read(assistant_seats, template(**changes))

    assert [(each.row, each.field, each.reason) for each in parsed.rejected] == [(1, field, "bad_field")]
    assert parsed.activity["team"].tolist() == ["Sales"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b"a,b\n1,2\n", b"Report Refresh Date,User Principal Name\n2026-10-01,ada@example.org\n"],
)
def test_exports_that_are_not_known_are_refused(content: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        read(assistant_seats, content)


def test_what_is_wrong_with_a_line_is_still_said_once_the_file_is_stored() -> None:
    sheet = b"month,vendor,product,seats\n2026-07,GitHub,copilot-business,3\n2026-07,GitHub\n"

    stored = assistant_seats.scrub(sheet, "text/csv")

    assert b"the line does not have the cells of the header" in stored
