"""Azure's carbon optimization reports: what each answer states, of which month and subscription, and what is missing from it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.quantification.rejections import Cover
from ingestion.sources import azure_carbon
from ingestion.sources.base import Parsed, UnreadablePayload
from tests.ingestion.sources.samples import PAYLOADS, activity_of, check, expected, read

ANSWER = json.loads((PAYLOADS / "azure" / "carbon-item-details.json").read_text())
SUMMARY = json.loads((PAYLOADS / "azure" / "carbon-monthly-summary.json").read_text())
REQUEST = json.loads((PAYLOADS / "azure" / "carbon-request-item-details.json").read_text())
SUBSCRIPTION = "5f1d2c3b-0a9e-4f4d-8c7b-6a5e4d3c2b1a"
OCTOBER = (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
SETTING = {"reported_basis": "location", "month": "2026-10"}


def answer(*items: dict[str, Any], of: dict[str, Any] = ANSWER, **changes: Any) -> bytes:
    """An answer with these items; each names what differs from the sample's."""
    first = of["value"][0]
    return json.dumps({**of, "value": [{**first, **item} for item in items], **changes}).encode()


def parsed(body: bytes, **setting: Any) -> Parsed:
    [chunk] = read(azure_carbon, body, setting={**SETTING, **setting})
    return chunk


@pytest.mark.parametrize("entry", expected("azure", "azure_carbon"))
def test_answers_reach_their_sums(entry: dict[str, Any]) -> None:
    chunks = [
        chunk
        for file in entry["files"]
        for chunk in read(azure_carbon, (PAYLOADS / "azure" / file).read_bytes(), setting=entry["setting"])
    ]

    assert sum(len(chunk.rejected) for chunk in chunks) == entry["counts"]["quarantined"]
    check(activity_of(chunks), entry)


def test_item_becomes_a_stated_month_of_its_subscription() -> None:
    chunk = parsed(answer({"location": "Sweden Central"}))

    [record] = chunk.activity.to_dict("records")
    assert (record["evidence"], record["reported_kg_co2e"], record["reported_basis"]) == (
        "stated",
        3.803143,
        "location",
    )
    assert (record["started_at"], record["ended_at"]) == OCTOBER
    assert (record["account"], record["region"], record["provider"]) == (SUBSCRIPTION, "swedencentral", "azure")
    assert (record["stage"], record["hosting"]) == ("inference", "api")
    assert record["labels"] == {
        "report": "ResourceItemDetails",
        "category": "Resource",
        "service": "Cognitive Services",
        "classification": "ai",
        "resource": "aoai-search",
        "resource_group": "rg-ai",
    }
    assert chunk.cover == [Cover(f"azure_carbon:{SUBSCRIPTION}:2026-10", {"account": SUBSCRIPTION}, *OCTOBER)]


@pytest.mark.parametrize(
    ("resource_type", "classification"),
    [
        ("Microsoft.MachineLearningServices/workspaces", "ai"),
        ("microsoft.compute/virtualmachines", "supporting"),
        ("microsoft.search/searchservices", "supporting"),
        ("microsoft.storage/storageaccounts", "outside"),
    ],
)
def test_every_item_is_kept_and_classified_as_bills_are(resource_type: str, classification: str) -> None:
    frame = parsed(answer({"resourceType": resource_type})).activity

    assert frame["labels"].iloc[0]["classification"] == classification


@pytest.mark.parametrize("basis", [None, "", "residual", 1])
def test_without_a_basis_nothing_is_read_and_the_remedy_is_named(basis: Any) -> None:
    with pytest.raises(UnreadablePayload, match="Set `reported_basis` of this source to location or market"):
        parsed(answer({}), reported_basis=basis)


def test_month_of_the_request_beside_the_answer_wins_over_the_setting() -> None:
    body = json.dumps({**ANSWER, "request": {**REQUEST, "dateRange": {"start": "2026-08-01", "end": "2026-08-01"}}})

    frame = parsed(body.encode()).activity
    assert frame["started_at"].iloc[0] == datetime(2026, 8, 1, tzinfo=UTC)
    assert frame["labels"].iloc[0]["scopes"] == "scope1+scope2+scope3"


@pytest.mark.parametrize(
    ("changes", "setting", "field"),
    [
        ({}, {"month": None}, "dateRange"),
        ({}, {"month": "October"}, "dateRange"),
        ({"request": {"dateRange": {"start": "2026-08-01", "end": "2026-10-01"}}}, {}, "dateRange"),
    ],
)
def test_item_of_no_single_month_is_quarantined(changes: dict[str, Any], setting: dict[str, Any], field: str) -> None:
    chunk = parsed(answer({}, **changes), **setting)

    assert [(each.field, each.reason) for each in chunk.rejected] == [(field, "bad_field")]
    assert chunk.cover == []


@pytest.mark.parametrize(
    ("item", "field", "reason"),
    [
        ({"latestMonthEmissions": None}, "latestMonthEmissions", "bad_field"),
        ({"latestMonthEmissions": "many"}, "latestMonthEmissions", "bad_field"),
        ({"latestMonthEmissions": True}, "latestMonthEmissions", "bad_field"),
        ({"latestMonthEmissions": 10**400}, "latestMonthEmissions", "bad_field"),
        ({"latestMonthEmissions": -1.5}, "reported_kg_co2e", "negative_quantity"),
        ({"dataType": "HourlyData"}, "dataType", "unsupported_version"),
        ({"dataType": None}, "dataType", "unsupported_version"),
        ({"date": "the first"}, "date", "bad_field"),
        ({"date": "2019-01-01"}, "started_at", "too_old"),
        ({"date": "2027-01-01"}, "ended_at", "clock_skew"),
    ],
)
def test_bad_item_goes_alone(item: dict[str, Any], field: str, reason: str) -> None:
    chunk = parsed(answer({"resourceId": "/a"}, item, {"resourceId": "/b"}))

    assert [(each.row, each.field, each.reason) for each in chunk.rejected] == [(2, field, reason)]
    assert (chunk.received, chunk.activity["row"].tolist()) == (3, [1, 3])


def test_denied_subscription_is_raised() -> None:
    decisions = [
        *ANSWER["subscriptionAccessDecisionList"],
        {"subscriptionId": "77", "decision": "Denied", "denialReason": "No role on it."},
    ]

    chunk = parsed(answer({}, subscriptionAccessDecisionList=decisions))

    assert [(each.row, each.reason, each.detail) for each in chunk.rejected] == [
        (2, "access_denied", "77: Denied, No role on it.")
    ]
    assert (chunk.received, len(chunk.activity)) == (2, 1)
    assert any("subscription 77 are missing" in line for line in chunk.log)


def test_monthly_summary_is_a_record_of_its_month() -> None:
    allowed = [{"subscriptionId": "AB", "decision": "Allowed"}]
    months = ({"date": "2026-09-01"}, {"date": "2026-10-01", "latestMonthEmissions": 11})

    frame = parsed(answer(*months, of=SUMMARY, subscriptionAccessDecisionList=allowed)).activity

    assert frame["reported_kg_co2e"].tolist() == [12.5, 11.0]
    assert [str(start)[:7] for start in frame["started_at"]] == ["2026-09", "2026-10"]
    assert set(frame["account"]) == {"ab"}


@pytest.mark.parametrize("count", [0, 2])
def test_sum_over_several_subscriptions_needs_an_account(count: int) -> None:
    decisions = [{"subscriptionId": str(each), "decision": "Allowed"} for each in range(count)]
    body = answer({}, of=SUMMARY, subscriptionAccessDecisionList=decisions)

    assert [each.detail.split(":")[0] for each in parsed(body).rejected] == [f"the sum is over {count} subscriptions"]
    assert parsed(body, account="all of ML").activity["account"].tolist() == ["all of ML"]


def test_top_items_leave_the_rest_out_and_are_no_statement() -> None:
    chunk = parsed(answer({"dataType": "ResourceTopItemsSummaryData"}))

    assert (chunk.received, chunk.outside, len(chunk.activity)) == (1, 1, 0)


@pytest.mark.parametrize("changes", [{"skipToken": "next"}, {"request": {**REQUEST, "locationList": ["east us"]}}])
def test_part_of_a_report_speaks_for_nothing_else(changes: dict[str, Any]) -> None:
    chunk = parsed(answer({}, **changes))

    assert (len(chunk.activity), chunk.cover) == (1, [])


def test_ids_depend_on_what_an_item_is_and_not_on_its_figure_or_place() -> None:
    both = [{"resourceId": "/A"}, {"resourceId": "/B"}]
    before = parsed(answer(*both)).activity["record_id"].tolist()
    after = parsed(answer({"resourceId": "/b", "latestMonthEmissions": 1}, {"resourceId": "/a"})).activity

    assert before == after["record_id"].tolist()[::-1]
    assert len(set(before)) == 2


@pytest.mark.parametrize("form", ["array", "lines", "mark"])
def test_several_answers_may_stand_in_one_file(form: str) -> None:
    one, two = answer({"resourceId": "/a"}), answer({"resourceId": "/b"})
    body = {"array": b"[" + one + b"," + two + b"]", "lines": one + b"\n" + two, "mark": b"\xef\xbb\xbf" + one}[form]

    assert len(parsed(body).activity) == (1 if form == "mark" else 2)


def test_names_of_people_are_dropped_before_storage() -> None:
    stored = azure_carbon.scrub(answer({"user": "Ada", "login": "ada@example.org"}), "application/json")

    assert b"Ada" not in stored
    assert b"ada@" not in stored
    assert len(parsed(stored).activity) == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b'{"value": 1}', b'{"error": {"code": "AuthorizationFailed"}}', b"\xff\xfe", b"[" * 5000],
)
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        read(azure_carbon, content, setting=SETTING)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["dataType", "latestMonthEmissions", "date", "itemName", "resourceId", "resourceType", "subscriptionId", "location"]
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    items=st.lists(st.dictionaries(NAMES, JSON, max_size=6), max_size=4),
    decisions=st.none()
    | st.lists(st.fixed_dictionaries({"subscriptionId": st.text(max_size=5), "decision": st.text()})),
    request=st.none() | st.dictionaries(st.sampled_from(["dateRange", "subscriptionList"]), JSON),
)
def test_whatever_an_answer_holds_every_item_has_one_place(items: Any, decisions: Any, request: Any) -> None:
    value = [{**ANSWER["value"][0], **item} for item in items]
    body = json.dumps({"value": value, "subscriptionAccessDecisionList": decisions, "request": request}).encode()

    try:
        chunk = parsed(body)
    except UnreadablePayload:
        return
    denied = sum(each["decision"].lower() != "allowed" for each in decisions or [])
    assert chunk.received == len(items) + denied
    assert len(chunk.activity) + len(chunk.rejected) + chunk.outside == chunk.received


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300))
def test_no_bytes_get_past_as_anything_but_unreadable(content: bytes) -> None:
    azure_carbon.detect(content, "x")
    with pytest.raises(UnreadablePayload):
        read(azure_carbon, content, setting=SETTING)
