"""LiteLLM's callback events and spend log: what counts, what is one call, and what is never stored."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from ingestion.sources import litellm
from ingestion.sources.base import Context, UnreadablePayload
from ingestion.uploads import Upload, scrubbed
from tests.ingestion.sources.samples import PAYLOADS, RECEIVED_AT, activity_of, check, expected, read, requests

FILE = "generic-api-1.106.2.jsonl"
EVENTS: list[dict[str, Any]] = [
    event for request in requests("litellm", FILE) for event in json.loads(request.body.decode())
]
PLAIN, STREAMED, FRESH, HIT, EMBEDDING, FAILED = range(6)


def event(at: int = PLAIN, **changes: Any) -> dict[str, Any]:
    """A recorded event with changed fields."""
    return {**EVENTS[at], **changes}


def one(*events: Any, **context: Any) -> Any:
    """Read events as one array; give the only chunk."""
    [parsed] = read(litellm, json.dumps(list(events)).encode(), **context)
    return parsed


def first(*events: Any, **context: Any) -> dict[str, Any]:
    record: dict[str, Any] = one(*events, **context).activity.iloc[0].to_dict()
    return record


@pytest.mark.parametrize("entry", expected("litellm", "litellm"))
def test_recording_reaches_its_sums(entry: dict[str, Any]) -> None:
    parsed = [each for request in requests("litellm", FILE) for each in read(litellm, request.body)]

    assert sum(each.received for each in parsed) == entry["counts"]["received"]
    assert len(activity_of(parsed)) == entry["counts"]["written"]
    check(activity_of(parsed), entry)


def test_array_lines_and_single_object_are_one_format() -> None:
    forms = [
        json.dumps(EVENTS).encode(),
        "\n".join(json.dumps(each) for each in EVENTS).encode(),
        *(json.dumps(each).encode() for each in EVENTS),
    ]
    array, lines, *single = [activity_of(read(litellm, form))["record_id"].tolist() for form in forms]

    assert array == lines == [name for names in single for name in names]


def test_record_names_the_call_and_whose_it_was() -> None:
    record = first(event())

    assert record["record_id"] == "litellm:chatcmpl-f7d4641ae2d6a7c74e21128b:1795311187894"
    assert (record["team"], record["project"], record["account"]) == ("research", "summarizer", "org-acme")
    assert (record["environment"], record["labels"]) == ("prod", {"cost_center": "CC-100"})
    assert (record["provider"], record["model"], record["hosting"]) == ("openai", "gpt-4o-mini-2024-07-18", "api")
    assert (record["input_tokens"], record["cached_input_tokens"], record["output_tokens"]) == (887, 384, 42)
    assert (record["cost"], record["currency"]) == (0.00012944999999999998, "USD")


def test_cache_hit_is_a_request_without_tokens_and_the_avoided_ones_stand_apart() -> None:
    parsed = one(event(HIT))

    record = parsed.activity.iloc[0]
    assert (record["requests"], record["techniques"]) == (1, ("cached",))
    assert record[["input_tokens", "output_tokens", "cached_input_tokens", "cost"]].isna().all()
    assert parsed.log == ["1 answers came from the gateway's cache: 116 input and 259 output tokens avoided"]


def test_failure_is_a_failed_request() -> None:
    record = one(event(FAILED)).activity.iloc[0]

    assert (record["requests"], record["failed_requests"]) == (1, 1)
    assert record[["input_tokens", "output_tokens", "cost"]].isna().all()


def test_retry_and_fallback_are_activities_of_their_own() -> None:
    retried = event(FAILED, id="other", startTime=EVENTS[FAILED]["endTime"], endTime=EVENTS[FAILED]["endTime"] + 1)

    assert len(one(event(FAILED), retried, event()).activity) == 3


def test_only_a_streamed_answer_has_a_generation_time() -> None:
    assert first(event(STREAMED))["generation_s"] == pytest.approx(
        0.031
    )  # 1.334 s after its start, first part at 1.303 s
    assert first(event(PLAIN))["generation_s"] != first(event(PLAIN))["generation_s"]


def test_stream_without_usage_is_flagged() -> None:
    record = first(event(STREAMED, prompt_tokens=0, completion_tokens=0, metadata={"usage_object": {}}))

    assert record["flags"] == ("no_usage",)


@pytest.mark.parametrize(
    "call_type", ["afile_retrieve", "create_batch", "alist_batches", "call_mcp_tool", "acreate_thread"]
)
def test_calls_that_run_no_model_are_outside(call_type: str) -> None:
    parsed = one(event(call_type=call_type, prompt_tokens=0, completion_tokens=0))

    assert (parsed.received, parsed.outside, len(parsed.activity)) == (1, 1, 0)


def test_unknown_call_with_tokens_counts() -> None:
    assert first(event(call_type="anew_thing"))["input_tokens"] == 887


def test_finished_batch_counts_once_however_often_it_is_read() -> None:
    made = {"response": {"object": "batch", "created_at": 1795300000, "completed_at": 1795303600}}
    hidden = {"batch_models": ["gpt-4o-mini"], "batch_successful_requests": 90, "batch_failed_requests": 10}
    batch = event(id="batch_1", call_type="aretrieve_batch", hidden_params=hidden, **made)
    again = batch | {"startTime": batch["endTime"], "endTime": batch["endTime"] + 1}

    parsed = one(batch, again)

    assert parsed.activity["record_id"].tolist() == ["litellm:batch_1:batch"] * 2
    assert [(row["ended_at"] - row["started_at"]).total_seconds() for _, row in parsed.activity.iterrows()] == [
        3600,
        3600,
    ]
    record = parsed.activity.iloc[0]
    assert (record["tier"], record["requests"], record["failed_requests"]) == ("batch", 100, 10)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        (
            {"custom_llm_provider": "bedrock", "api_base": "https://bedrock-runtime.us-east-1.amazonaws.com/model/x"},
            ("api", "aws", "us-east-1"),
        ),
        (
            {"custom_llm_provider": "vertex_ai", "cost_breakdown": {"vertex_location": "europe-west4"}, "api_base": ""},
            ("api", "gcp", "europe-west4"),
        ),
        (
            {"custom_llm_provider": "hosted_vllm", "api_base": "http://vllm.llm.svc.cluster.local:8000/v1"},
            ("owned", None, None),
        ),
        ({"custom_llm_provider": "openai", "api_base": "http://10.0.0.7/v1"}, ("api", "openai", None)),
    ],
)
def test_place_follows_the_server(changes: dict[str, Any], place: tuple[str | None, ...]) -> None:
    record = first(event(**changes))

    found = [record[name] for name in ("hosting", "provider", "region")]
    assert [each if isinstance(each, str) else None for each in found] == list(place)


def test_tags_that_the_source_names_become_labels() -> None:
    labels = first(event(), setting={"labels": ["product"]})["labels"]

    assert labels == {"cost_center": "CC-100", "product": "summarizer"}


# --- spend log --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["spend-logs.json", "spend-logs.csv"])
def test_spend_log_says_the_same_as_the_callback(file: str) -> None:
    """Ids, times, owners and measures agree call by call; the answered model is not in the log."""
    rows = activity_of(read(litellm, (PAYLOADS / "litellm" / file).read_bytes()))
    events = activity_of(read(litellm, json.dumps(EVENTS).encode()))

    same = ["record_id", "started_at", "ended_at", "team", "project", "account", "environment", "provider", "requests"]
    same += [
        "failed_requests",
        "input_tokens",
        "cached_input_tokens",
        "output_tokens",
        "cost",
        "techniques",
        "labels",
        "trace",
    ]
    pd.testing.assert_frame_equal(rows[same], events[same])
    assert rows["model"].iloc[0] == events["model"].iloc[0] == "gpt-4o-mini-2024-07-18"


def test_page_of_the_newer_address_is_read_too() -> None:
    rows = json.loads((PAYLOADS / "litellm" / "spend-logs.json").read_text())

    [parsed] = read(
        litellm, json.dumps({"data": rows, "total": 6, "page": 1, "page_size": 50, "total_pages": 1}).encode()
    )

    assert parsed.received == 6


def test_broken_line_of_a_csv_goes_alone() -> None:
    lines = (PAYLOADS / "litellm" / "spend-logs.csv").read_text().splitlines()

    [parsed] = read(litellm, "\n".join([*lines[:2], "chatcmpl-x,acompletion", *lines[2:]]).encode())

    assert (parsed.received, len(parsed.activity)) == (7, 6)
    assert [(each.row, each.reason) for each in parsed.rejected] == [(2, "bad_field")]


def test_daily_sums_are_refused_with_what_to_ask_for() -> None:
    summary = [{"startTime": "2026-10-01", "spend": 1.5, "users": {"ada": 1.5}, "models": {"gpt-4o": 1.5}}]

    with pytest.raises(UnreadablePayload, match="summarize=false"):
        read(litellm, json.dumps(summary).encode())


# --- broken and hostile -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"startTime": "yesterday"}, "startTime", "bad_field"),
        ({"endTime": None}, "endTime", "bad_field"),
        ({"endTime": EVENTS[0]["startTime"] - 5}, "ended_at", "negative_interval"),
        ({"prompt_tokens": -5}, "input_tokens", "negative_quantity"),
        ({"completion_tokens": 1.5}, "completion_tokens", "bad_field"),
        ({"cache_hit": "maybe"}, "cache_hit", "bad_field"),
        ({"id": None}, "id", "bad_field"),
        ({"startTime": 4e9, "endTime": 4e9}, "ended_at", "clock_skew"),
    ],
)
def test_bad_event_goes_alone(changes: dict[str, Any], field: str, reason: str) -> None:
    parsed = one(event(**changes), event(EMBEDDING))

    assert [(each.row, each.field, each.reason) for each in parsed.rejected] == [(1, field, reason)]
    assert len(parsed.activity) == 1


def test_event_that_is_none_goes_alone() -> None:
    """The gateway queues nothing for a call whose payload it could not build."""
    parsed = one(None, event())

    assert [each.reason for each in parsed.rejected] == ["bad_field"]
    assert len(parsed.activity) == 1


def test_numbers_that_python_writes_and_json_does_not_have_are_absent() -> None:
    body = json.dumps([event(response_cost=float("nan"))]).encode()
    assert b"NaN" in body

    [parsed] = read(litellm, body)

    assert parsed.activity["cost"].isna().all()


def test_old_form_is_refused_with_the_remedy() -> None:
    old = {
        "id": "chatcmpl-1",
        "call_type": "acompletion",
        "cache_hit": "False",
        "startTime": "2026-11-22 01:33:07",
        "endTime": "2026-11-22 01:33:08",
        "model": "gpt-4o",
        "user": "",
        "modelParameters": "{}",
        "messages": "[]",
        "response": "ModelResponse()",
        "usage": "Usage(prompt_tokens=1)",
        "metadata": "{}",
        "cost": "0.1",
    }

    with pytest.raises(UnreadablePayload, match="generic_api_use_v1"):
        read(litellm, json.dumps([old]).encode())


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": 1}', b'[{"resourceSpans": []}]', b"id,name\n1,2\n", b"\xff\xfe"])
def test_other_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        read(litellm, body)


def test_nothing_that_people_wrote_or_are_is_stored() -> None:
    secret = "SECRET-of-Ada"
    metadata = EVENTS[0]["metadata"] | {
        **dict.fromkeys(
            ("user_api_key_hash", "user_api_key_alias", "user_api_key_user_id", "user_api_key_user_email"), secret
        ),
        **dict.fromkeys(("user_api_key_end_user_id", "requester_ip_address", "user_agent"), secret),
        "requester_metadata": {"prompt": secret},
        "spend_logs_metadata": {"user": secret, "note": f"what is {secret}?", "owner": f"{secret}@example.org"},
    }
    loaded = event(
        messages=[{"role": "user", "content": secret}],
        response={"model": "m", "choices": [{"message": {"content": secret}}]},
        metadata=metadata,
        end_user=secret,
        requester_ip_address=secret,
        user_agent=secret,
        error_str=secret,
        api_base=f"https://ada:{secret}@api.openai.com/v1?key={secret}",
        request_tags=[secret, f"user:{secret}", f"User-Agent: {secret}", f"token:sk-{secret}", "team:search"],
        model_parameters={"user": secret},
    )
    row = json.loads((PAYLOADS / "litellm" / "spend-logs.json").read_text())[0] | dict.fromkeys(
        ("api_key", "user", "end_user", "requester_ip_address", "messages", "proxy_server_request"), secret
    )

    for body in (json.dumps([loaded]).encode(), json.dumps([row]).encode()):
        stored = litellm.scrub(body, "application/json")
        [parsed] = litellm.parse(io.BytesIO(stored), Context(RECEIVED_AT))
        assert secret not in stored.decode()
        assert secret not in parsed.activity.to_csv()
        assert len(parsed.activity) == 1


def test_time_without_offset_is_utc_and_flagged() -> None:
    rows = json.loads((PAYLOADS / "litellm" / "spend-logs.json").read_text())
    rows[0] |= {"startTime": "2026-11-22T01:33:07.894", "endTime": "2026-11-22T01:33:08.738"}

    record = first(rows[0])

    assert record["started_at"] == datetime(2026, 11, 22, 1, 33, 7, 894_000, tzinfo=UTC)
    assert record["flags"] == ("naive_time",)


def test_file_of_the_spend_log_keeps_of_metadata_and_tags_what_the_callback_keeps() -> None:
    about = {"spend_logs_metadata": {"team": "nlp", "reason": "my pay is low"}, "user_api_key_alias": "lovelace-key"}
    row = {
        "request_id": "r1",
        "call_type": "acompletion",
        "startTime": "2026-10-01 09:00:00",
        "endTime": "2026-10-01 09:00:01",
        "spend": "0.1",
        "model": "gpt-4o",
        "prompt_tokens": "10",
        "completion_tokens": "5",
        "metadata": json.dumps(about),
        "request_tags": json.dumps(["note:what is my pay", "feature:rag", "ada lovelace"]),
        "api_base": "https://api.example.org/v1?key=topsecret",
    }
    table = pd.DataFrame([row]).to_csv(index=False).encode()
    upload = Upload("LiteLLM_SpendLogs.csv", lambda: io.BytesIO(table))

    with scrubbed(io.BytesIO(table), "litellm", upload) as stream:
        kept = stream.read()

    for private in (b"pay", b"lovelace", b"topsecret"):
        assert private not in kept
    [parsed] = litellm.parse(io.BytesIO(kept), Context(RECEIVED_AT, setting={"labels": ["feature"]}))
    [record] = parsed.activity.to_dict("records")
    assert (record["team"], record["labels"], record["input_tokens"]) == ("nlp", {"feature": "rag"}, 10)


def test_what_is_wrong_with_an_event_is_still_said_once_it_is_stored() -> None:
    stored = litellm.scrub(b'[["my neighbour lost her job and may she keep the flat"]]', "application/json")

    assert b"an event is an object, not list" in stored
    assert b"neighbour" not in stored
