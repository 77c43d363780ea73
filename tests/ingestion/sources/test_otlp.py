"""GenAI spans over OTLP/HTTP, on bodies recorded from real exporters."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingestion.sources import otlp
from ingestion.sources.base import Context, Parsed, UnreadablePayload, finish_drafts
from tests.ingestion.sources.samples import PAYLOADS, RECEIVED_AT, activity_of, check, expected, read, requests

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
START = 1795311316854437822  # 2026-11-22T01:35:16.854437822Z


def bodies(file: str) -> Iterator[tuple[bytes, str, str]]:
    """Give body, media type and signal of each request of a file."""
    if file.endswith(".jsonl"):
        for request in requests("otlp", file):
            yield request.body, request.headers["content-type"], request.path.rsplit("/", 1)[1]
    else:
        yield (PAYLOADS / "otlp" / file).read_bytes(), JSON if file.endswith("json") else PROTOBUF, file


def attribute(key: str, value: Any) -> dict[str, Any]:
    kind = {bool: "boolValue", int: "intValue", float: "doubleValue"}.get(type(value), "stringValue")
    return {"key": key, "value": {kind: str(value) if kind == "intValue" else value}}


def span(attributes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "kind": 3,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 2_000_000_000),
        "attributes": [attribute(*pair) for pair in attributes.items()],
        **fields,
    }


def body(*spans: dict[str, Any], resource: dict[str, Any] | None = None) -> bytes:
    attributes = [attribute(*pair) for pair in (resource or {"service.name": "rag-api"}).items()]
    return json.dumps(
        {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [{"spans": list(spans)}]}]}
    ).encode()


CHAT: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
}


def one(*spans: dict[str, Any], resource: dict[str, Any] | None = None, **context: Any) -> Parsed:
    [parsed] = read(otlp, body(*spans, resource=resource), content_type=JSON, filename="traces", **context)
    return parsed


def record(*spans: dict[str, Any], resource: dict[str, Any] | None = None, **context: Any) -> dict[str, Any]:
    parsed = one(*spans, resource=resource, **context)
    assert parsed.rejected == []
    row: dict[str, Any] = parsed.activity.iloc[0].dropna().to_dict()
    return row


@pytest.mark.parametrize(
    "entry", [each for each in expected("otlp", "otlp") if each.values[0]["setting"]["count"] == "spans"]
)
def test_recorded_spans_reach_their_sums(entry: dict[str, Any]) -> None:
    parsed = [
        each
        for file in entry["files"]
        for content, media_type, signal in bodies(file)
        if "traces" in signal
        for each in read(otlp, content, content_type=media_type, filename=signal)
    ]

    assert [found for each in parsed for found in each.rejected] == []
    check(activity_of(parsed), entry)


def test_bad_requests_are_refused_or_taken_as_the_protocol_wants() -> None:
    """Media types are the door's (415)."""
    seen = set()
    for request in requests("otlp", "bad-requests.jsonl"):
        signal = request.path.rsplit("/", 1)[1]
        media_type = request.headers["content-type"]
        seen.add(request.line["expect_status"])
        if request.line["expect_status"] == 400:
            with pytest.raises(UnreadablePayload):
                otlp.accept(request.body, media_type, signal)
        elif request.line["expect_status"] == 200:
            accepted = otlp.accept(request.body, media_type, signal)
            refused = request.line.get("expect_partial_success", {}).get("rejectedSpans", "0")
            assert str(accepted.rejected) == refused, request.line["why"]
            assert bool(accepted.message) == (refused != "0")
    assert {200, 400} <= seen


def test_span_becomes_a_record() -> None:
    resource = {
        "service.name": "rag-api",
        "team": "search",
        "deployment.environment": "prod",
        "cloud.region": "eu-west-1",
    }
    found = record(
        span(
            CHAT
            | {
                "gen_ai.usage.cache_read.input_tokens": 40,
                "openai.response.service_tier": "flex",
                "gen_ai.response.id": "chatcmpl-1",
                "gen_ai.response.time_to_first_chunk": 0.5,
            }
        ),
        resource=resource,
    )

    assert found["record_id"] == "span:5b8efff798038103d269b633813fc60c:eee19b7ec3c1b174"
    assert str(found["started_at"]) == "2026-11-22 01:35:16.854437+00:00"
    assert (found["requests"], found["failed_requests"]) == (1, 0)
    assert (found["input_tokens"], found["cached_input_tokens"], found["output_tokens"]) == (100, 40, 20)
    assert found["generation_s"] == pytest.approx(1.5)
    assert (found["team"], found["project"], found["environment"]) == ("search", "rag-api", "prod")
    assert (found["tier"], found["request"]) == ("standard", "chatcmpl-1")
    assert (found["stage"], found["hosting"], found["evidence"]) == ("inference", "api", "modelled")
    assert "region" not in found
    assert found["labels"]["caller_region"] == "eu-west-1"


def test_older_spellings_say_the_same() -> None:
    older = {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "aws.bedrock",
        "gen_ai.request.model": "nova-pro",
        "gen_ai.usage.prompt_tokens": 5,
        "gen_ai.usage.completion_tokens": 6,
    }

    found = record(span(older))

    assert (found["provider"], found["model"], found["input_tokens"], found["output_tokens"]) == (
        "aws",
        "nova-pro",
        5,
        6,
    )


def test_upper_case_ids_are_the_same_ids() -> None:
    upper = span(CHAT, traceId="5B8EFFF798038103D269B633813FC60C", spanId="EEE19B7EC3C1B174")

    assert record(upper)["record_id"] == record(span(CHAT))["record_id"]


def test_json_and_protobuf_give_the_same_rows() -> None:
    [as_json] = read(otlp, (PAYLOADS / "otlp/1-traces.json").read_bytes(), content_type=JSON, filename="traces")
    [as_protobuf] = read(otlp, (PAYLOADS / "otlp/1-traces.pb").read_bytes(), content_type=PROTOBUF, filename="traces")

    # Two recordings of the same five calls: ids, times and the caller's instance differ.
    columns = ["team", "project", "model", "provider", "requests", "input_tokens", "output_tokens", "flags"]
    assert as_json.activity[columns].equals(as_protobuf.activity[columns])
    assert (as_json.received, as_json.outside) == (as_protobuf.received, as_protobuf.outside) == (6, 1)


def test_failed_and_silent_calls_are_still_requests() -> None:
    silent = {key: value for key, value in CHAT.items() if "usage" not in key}

    failed = record(span(silent | {"error.type": "RateLimit"}, status={"code": 2}))
    streamed = record(span(silent))

    assert (failed["requests"], failed["failed_requests"], failed["flags"]) == (1, 1, ())
    assert (streamed["requests"], streamed["failed_requests"], streamed["flags"]) == (1, 0, ("no_usage",))
    assert "input_tokens" not in streamed


def test_agent_span_beside_its_children_is_outside() -> None:
    agent = span(CHAT | {"gen_ai.operation.name": "invoke_agent"}, spanId="aaaaaaaaaaaaaaaa")

    parsed = one(agent, span(CHAT))

    assert parsed.activity["input_tokens"].tolist() == [100]
    assert (parsed.received, parsed.outside) == (2, 1)


def test_agent_span_waits_with_its_tokens() -> None:
    parsed = one(span(CHAT | {"gen_ai.operation.name": "invoke_agent"}, parentSpanId="BBBBBBBBBBBBBBBB"))

    [aggregate] = parsed.aggregates
    assert (parsed.received, parsed.outside, len(parsed.activity)) == (1, 1, 0)
    assert (aggregate.span, aggregate.parent) == ("eee19b7ec3c1b174", "bbbbbbbbbbbbbbbb")
    assert aggregate.record["flags"] == ["agent_aggregate"]
    assert (aggregate.record["input_tokens"], aggregate.record["output_tokens"]) == (100, 20)
    assert "requests" not in aggregate.record
    assert "10 minutes" in str(parsed.log)


def test_agent_span_without_tokens_is_outside() -> None:
    parsed = one(span({"gen_ai.operation.name": "invoke_agent"}))

    assert (parsed.outside, parsed.aggregates) == (1, [])


@pytest.mark.parametrize(
    "attributes",
    [
        {"http.request.method": "POST"},
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"},
        {"gen_ai.operation.name": "retrieval"},
        {"gen_ai.provider.name": "openai"},
    ],
)
def test_other_spans_are_outside(attributes: dict[str, Any]) -> None:
    parsed = one(span(attributes))

    assert (parsed.received, parsed.outside, parsed.rejected) == (1, 1, [])


def test_client_span_with_usage_counts_without_an_operation() -> None:
    usage = {"gen_ai.usage.input_tokens": 3}

    assert record(span(usage))["requests"] == 1
    assert len(one(span(usage, kind=1)).aggregates) == 1


@pytest.mark.parametrize(
    ("attributes", "fields", "field", "reason"),
    [
        ({"gen_ai.usage.output_tokens": -1}, {}, "gen_ai.usage.output_tokens", "negative_quantity"),
        ({"gen_ai.usage.input_tokens": "many"}, {}, "gen_ai.usage.input_tokens", "bad_field"),
        ({"gen_ai.usage.input_tokens": 1.5}, {}, "gen_ai.usage.input_tokens", "bad_field"),
        ({}, {"endTimeUnixNano": "0"}, "endTimeUnixNano", "bad_field"),
        ({}, {"endTimeUnixNano": str(START - 1)}, "endTimeUnixNano", "negative_interval"),
        ({}, {"endTimeUnixNano": str(2**63)}, "endTimeUnixNano", "bad_field"),
        ({}, {"endTimeUnixNano": str(START + 86_400 * 10**9)}, "ended_at", "clock_skew"),
        ({}, {"startTimeUnixNano": "1000"}, "started_at", "too_old"),
        ({}, {"traceId": "00000000000000000000000000000000"}, "traceId", "bad_field"),
        ({}, {"spanId": "xyz"}, "spanId", "bad_field"),
    ],
)
def test_bad_span_goes_alone(attributes: dict[str, Any], fields: dict[str, Any], field: str, reason: str) -> None:
    parsed = one(span(CHAT | attributes, **fields), span(CHAT, spanId="aaaaaaaaaaaaaaaa"))

    assert parsed.activity["row"].tolist() == [2]
    assert [(found.row, found.field, found.reason) for found in parsed.rejected] == [(1, field, reason)]


def test_infinite_token_count_in_protobuf_is_rejected() -> None:
    request = ExportTraceServiceRequest.FromString((PAYLOADS / "otlp/1-traces.pb").read_bytes())
    for each in request.resource_spans[0].scope_spans[0].spans[0].attributes:
        if each.key == "gen_ai.usage.input_tokens":
            each.value.double_value = float("inf")

    [parsed] = read(otlp, request.SerializeToString(), content_type=PROTOBUF, filename="traces")

    assert [found.reason for found in parsed.rejected] == ["bad_field"]


@pytest.mark.parametrize("nan", ["NaN", "Infinity"])
def test_token_count_that_is_no_number_is_rejected(nan: str) -> None:
    broken = span(CHAT)
    broken["attributes"].append({"key": "gen_ai.usage.cache_read.input_tokens", "value": {"doubleValue": nan}})

    assert [found.reason for found in one(broken).rejected] == ["bad_field"]


def test_own_server_is_where_the_caller_says_it_is() -> None:
    resource = {"service.name": "a", "cloud.provider": "gcp", "cloud.region": "europe-west4"}
    call = CHAT | {"gen_ai.provider.name": "vllm", "server.address": "10.0.0.7"}

    cloud = record(span(call), resource=resource)
    owned = record(span(call))
    gateway = record(span(CHAT | {"server.address": "10.0.0.7"}), resource=resource)
    listed = record(
        span(CHAT | {"server.address": "llm.example.org"}),
        resource=resource,
        setting={"own_servers": ["llm.example.org"]},
    )

    assert (cloud["hosting"], cloud["provider"], cloud["region"]) == ("cloud", "gcp", "europe-west4")
    assert owned["hosting"] == "owned"
    assert (gateway["hosting"], gateway["provider"]) == ("api", "openai")
    assert listed["hosting"] == "cloud"


def test_region_is_read_from_the_servers_name() -> None:
    call = CHAT | {
        "gen_ai.provider.name": "aws.bedrock",
        "server.address": "bedrock-runtime.eu-central-1.amazonaws.com",
    }

    assert record(span(call))["region"] == "eu-central-1"


def test_known_share_of_sampled_traces_is_a_label() -> None:
    assert record(span(CHAT, traceState="ot=th:c"))["labels"]["sample_share"] == 0.25
    assert record(span(CHAT), setting={"sample_rate": 0.1})["labels"]["sample_share"] == 0.1
    assert record(span(CHAT | {"SampleRate": 20}))["labels"]["sample_share"] == 0.05
    assert "sample_share" not in record(span(CHAT))["labels"]


def test_nobodys_service_name_is_absent() -> None:
    found = record(span(CHAT), resource={"service.name": "unknown_service:python"})

    assert "project" not in found
    assert "account" not in found


def test_content_and_people_are_dropped_before_storage() -> None:
    secret = "the secret plan"
    spoken = span(
        CHAT
        | {"gen_ai.input.messages": secret, "gen_ai.tool.call.arguments": secret, "enduser.id": "ada", "note": secret},
        name=secret,
        events=[{"name": "gen_ai.user.message", "attributes": [attribute("content", secret)]}],
        status={"code": 2, "message": secret},
        links=[{"attributes": [attribute("note", secret)]}],
    )
    resource = {"service.name": "rag-api", "process.command_args": secret, "user.email": "ada@example.org"}
    as_json = body(spoken, resource=resource)
    message = ExportTraceServiceRequest()
    each = message.resource_spans.add()
    for key, value in resource.items():
        each.resource.attributes.add(key=key).value.string_value = value
    proto = each.scope_spans.add().spans.add(
        trace_id=b"\x01" * 16,
        span_id=b"\x01" * 8,
        start_time_unix_nano=START,
        end_time_unix_nano=START + 1,
        name=secret,
    )
    proto.status.message = secret
    proto.events.add(name=secret)
    for key in ("gen_ai.operation.name", "gen_ai.input.messages", "user.id"):
        proto.attributes.add(key=key).value.string_value = "chat" if "operation" in key else secret

    for content, media_type in ((as_json, JSON), (message.SerializeToString(), PROTOBUF)):
        stored = otlp.scrub(content, media_type, "traces")
        assert b"secret plan" not in stored
        assert b"ada" not in stored
        assert b"rag-api" in stored
        [parsed] = read(otlp, content, content_type=media_type, filename="traces")
        assert len(parsed.activity) == 1


TRACE_STATE = "dd=s:1;t.usr.id:YWRhLmxvdmVsYWNl,ot=th:c;rv:d29b,rojo=00f067"
"""Datadog's member names the user, in base64."""


def of_protobuf() -> bytes:
    """Write a call with that trace state."""
    request = ExportTraceServiceRequest()
    call = request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, kind=3)
    call.trace_state, call.start_time_unix_nano, call.end_time_unix_nano = TRACE_STATE, START, START + 1
    call.attributes.add(key="gen_ai.operation.name").value.string_value = "chat"
    return request.SerializeToString()


@pytest.mark.parametrize(
    ("content", "media_type"), [(body(span(CHAT, traceState=TRACE_STATE)), JSON), (of_protobuf(), PROTOBUF)]
)
def test_trace_state_keeps_how_it_was_sampled_and_no_member_of_a_vendor(content: bytes, media_type: str) -> None:
    stored = otlp.scrub(content, media_type, "traces")

    assert b"YWRhLmxvdmVsYWNl" not in stored
    assert b"rojo" not in stored
    [parsed] = otlp.parse(io.BytesIO(stored), Context(RECEIVED_AT, content_type=media_type, filename="traces"))
    assert parsed.activity["labels"].iloc[0]["sample_share"] == 0.25


def test_bytes_of_a_resource_are_dropped() -> None:
    hidden = {"key": "blob", "value": {"bytesValue": "YWRhQGV4YW1wbGUub3Jn"}}
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add().resource
    resource.attributes.add(key="blob").value.bytes_value = b"ada@example.org"

    of_json = otlp.scrub(
        json.dumps({"resourceSpans": [{"resource": {"attributes": [hidden]}}]}).encode(), JSON, "traces"
    )
    of_protobuf = otlp.scrub(request.SerializeToString(), PROTOBUF, "traces")

    assert b"YWRh" not in of_json
    assert b"ada@" not in of_protobuf


def test_objects_in_the_place_of_a_text_are_not_stored() -> None:
    content = body(span(CHAT, traceState={"prompt": "my pay is low"}))

    assert b"my pay" not in otlp.scrub(content, JSON, "traces")


def test_logs_keep_their_number_and_nothing_else() -> None:
    content = json.dumps(
        {
            "resourceLogs": [
                {"scopeLogs": [{"logRecords": [{"timeUnixNano": "1", "body": {"stringValue": "a prompt"}}] * 3}]}
            ]
        }
    ).encode()

    [parsed] = read(otlp, content, content_type=JSON, filename="logs")

    assert b"a prompt" not in otlp.scrub(content, JSON, "logs")
    assert (parsed.received, parsed.outside) == (3, 3)


@pytest.mark.parametrize("file", ["1-traces.json", "1-traces.pb", "2-metrics.json", "2-metrics.pb"])
def test_files_are_recognized_with_their_signal(file: str) -> None:
    content = (PAYLOADS / "otlp" / file).read_bytes()

    assert ("traces" if "traces" in file else "metrics") in otlp.detect(content[:64], file).replace("spans", "traces")  # type: ignore[union-attr]
    assert otlp.signal_of(content, "", is_json=file.endswith("json")) in file


def test_payloads_read_together_give_what_each_gives_alone() -> None:
    contents = [
        body(span(CHAT)),
        body(span({"x": 1})),
        body(span(CHAT | {"gen_ai.usage.input_tokens": -1}), span(CHAT)),
    ]
    context = Context(RECEIVED_AT, content_type=JSON, filename="traces")

    group = finish_drafts([(otlp.read(content, context), context) for content in contents])

    assert group.activity[["payload", "row"]].to_numpy().tolist() == [[0, 1], [2, 2]]
    assert [draft.outside for draft in group.drafts] == [0, 1, 0]
    assert [len(draft.rejected) for draft in group.drafts] == [0, 0, 1]
