"""Metrics over OTLP, on bodies recorded from real exporters and on bodies of one's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from ingestion.sources import otlp, otlp_known_metrics
from ingestion.sources.base import Parsed
from ingestion.sources.counters import Memory
from tests.ingestion.sources.samples import activity_of, check, expected, read
from tests.ingestion.sources.test_otlp import JSON, PROTOBUF, START, attribute, bodies

SECOND = 10**9
CALL: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
}


LONG_AGO = {"startTimeUnixNano": "1", "timeUnixNano": str(SECOND)}


def point(
    value: float | str | None = None,
    at_s: float = 60,
    *,
    start_s: float = 0,
    count: int | None = None,
    **attributes: Any,
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "startTimeUnixNano": str(START + int(start_s * SECOND)),
        "timeUnixNano": str(START + int(at_s * SECOND)),
        "attributes": [attribute(key.replace("__", "."), each) for key, each in attributes.items()],
    }
    if count is None:
        return made | {"asDouble": value}
    return made | {"count": str(count)} | ({} if value is None else {"sum": value})


def usage(value: float, direction: str, at_s: float = 60, count: int = 1, **more: Any) -> dict[str, Any]:
    attributes = {key.replace(".", "__"): each for key, each in CALL.items()} | {"gen_ai__token__type": direction}
    return point(value, at_s, count=count, **(attributes | more))


def metric(name: str, *points: dict[str, Any], kind: str = "histogram", unit: str = "{token}", **data: Any) -> Any:
    return {"name": name, "unit": unit, kind: {"aggregationTemporality": 2, "dataPoints": list(points), **data}}


def tokens(*points: dict[str, Any], **data: Any) -> Any:
    return metric(otlp_known_metrics.TOKEN_USAGE, *points, **data)


def counter(name: str, *points: dict[str, Any], unit: str = "{token}", **data: Any) -> Any:
    return metric(name, *points, kind="sum", unit=unit, **({"isMonotonic": True} | data))


def body(*metrics: Any, scope: str = "instrumentation", resource: dict[str, Any] | None = None) -> bytes:
    attributes = [attribute(*pair) for pair in (resource or {"service.name": "rag-api"}).items()]
    scopes = [{"scope": {"name": scope}, "metrics": list(metrics)}]
    return json.dumps({"resourceMetrics": [{"resource": {"attributes": attributes}, "scopeMetrics": scopes}]}).encode()


def one(content: bytes, memory: Memory | None = None, **context: Any) -> Parsed:
    known = {"known": {"counters": memory}} if memory else {}
    [parsed] = read(otlp, content, content_type=JSON, filename="metrics", **known, **context)
    return parsed


def sums(parsed: list[Parsed]) -> dict[str, float]:
    frame = activity_of(parsed)
    names = ("requests", "failed_requests", "input_tokens", "cached_input_tokens", "output_tokens", "energy_kwh")
    return {name: float(total) for name in names if (total := frame[name].sum())}


@pytest.mark.parametrize(
    "entry", [each for each in expected("otlp", "otlp") if each.values[0]["setting"]["count"] == "metrics"]
)
def test_recorded_metrics_reach_their_sums(entry: dict[str, Any]) -> None:
    memory = Memory()
    parsed = [
        each
        for file in entry["files"]
        for content, media_type, signal in bodies(file)
        if "metrics" in signal
        for each in read(otlp, content, content_type=media_type, filename=signal, known={"counters": memory})
    ]

    frame = activity_of(parsed)
    names = frame["labels"].map(lambda labels: labels["metric"])
    newer = names.str.startswith("gen_ai.client.inference.usage").any()
    of_tokens = frame[
        names.str.startswith("gen_ai.client.inference.usage") if newer else names == otlp_known_metrics.TOKEN_USAGE
    ]
    assert [found for each in parsed for found in each.rejected] == []
    check(of_tokens, entry)


def test_json_and_protobuf_of_one_call_name_the_same_counters() -> None:
    as_json = one(body(tokens(usage(100, "input"))))
    message = ExportMetricsServiceRequest()
    resource = message.resource_metrics.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "rag-api"
    scope = resource.scope_metrics.add()
    scope.scope.name = "instrumentation"
    each = scope.metrics.add(name=otlp_known_metrics.TOKEN_USAGE, unit="{token}")
    each.histogram.aggregation_temporality = 2
    data = each.histogram.data_points.add(
        start_time_unix_nano=START, time_unix_nano=START + 60 * SECOND, count=1, sum=100
    )
    for key, value in {**CALL, "gen_ai.token.type": "input"}.items():
        data.attributes.add(key=key).value.string_value = value

    [as_protobuf] = read(otlp, message.SerializeToString(), content_type=PROTOBUF, filename="metrics")

    assert as_json.activity["record_id"].tolist() == as_protobuf.activity["record_id"].tolist()


def test_points_become_records_of_their_interval() -> None:
    memory = Memory()
    one(body(tokens(usage(100, "input"), usage(20, "output"))), memory)
    parsed = one(body(tokens(usage(150, "input", 120, 2), usage(21, "output", 120, 2))), memory)

    first, second = parsed.activity.to_dict("records")
    assert (first["input_tokens"], first["output_tokens"]) == (50, 0)
    assert (second["input_tokens"], second["output_tokens"]) == (0, 1)
    assert str(first["started_at"]) == "2026-11-22 01:36:16.854437+00:00"
    assert str(first["ended_at"]) == "2026-11-22 01:37:16.854437+00:00"
    assert (first["team"], first["project"], first["account"], first["provider"], first["model"]) == (
        *(first["team"], "rag-api", "rag-api", "openai", "gpt-4o-mini"),
    )
    assert first["labels"] == {
        "service.name": "rag-api",
        "signal": "metrics",
        "metric": "gen_ai.client.token.usage",
        "scope": "instrumentation",
    }
    assert (first["stage"], first["hosting"], first["evidence"]) == ("inference", "api", "modelled")


def test_requests_come_from_the_durations() -> None:
    duration = metric(
        otlp_known_metrics.DURATION,
        point(1.5, count=3, **{key.replace(".", "__"): each for key, each in CALL.items()}),
        point(0.2, count=1, error__type="429", **{key.replace(".", "__"): each for key, each in CALL.items()}),
        unit="s",
    )

    parsed = one(body(duration))

    ok, failed = parsed.activity.to_dict("records")
    assert (ok["requests"], ok["failed_requests"], ok["output_tokens"]) == (3, 0, 0)
    assert (failed["requests"], failed["failed_requests"]) == (1, 1)
    assert sums([parsed]) == {"requests": 4, "failed_requests": 1}


def test_delta_points_count_as_they_are_and_keep_their_ids() -> None:
    content = body(tokens(usage(100, "input"), usage(20, "output"), aggregationTemporality=1))
    memory = Memory()

    twice = [one(content, memory), one(content, memory)]

    assert twice[0].activity["record_id"].tolist() == twice[1].activity["record_id"].tolist()
    assert sums(twice) == {"input_tokens": 100, "output_tokens": 20}
    assert memory.changed == {}


@pytest.mark.parametrize("temporality", [1, 2])
def test_bodies_cut_between_any_two_points_give_the_same_ids(temporality: int) -> None:
    points = [usage(100, "input"), usage(20, "output"), usage(7, "input", gen_ai__request__model="gpt-4o")]
    whole = one(body(tokens(*points, aggregationTemporality=temporality)), Memory())
    memory = Memory()

    parts = [one(body(tokens(each, aggregationTemporality=temporality)), memory) for each in points]

    assert sorted(activity_of(parts)["record_id"]) == sorted(whole.activity["record_id"])
    assert sums(parts) == sums([whole])


def test_repeated_and_older_points_are_duplicates() -> None:
    memory = Memory()
    one(body(tokens(usage(100, "input", 120))), memory)

    again = one(body(tokens(usage(100, "input", 120), usage(60, "input", 60))), memory)

    assert (again.received, again.duplicate, len(again.activity)) == (2, 2, 0)


def test_idle_counter_is_outside() -> None:
    memory = Memory()
    one(body(tokens(usage(100, "input", 60))), memory)

    idle = one(body(tokens(usage(100, "input", 120))), memory)

    assert (idle.received, idle.outside) == (1, 1)


def test_cached_tokens_go_with_their_input() -> None:
    plain = {key.replace(".", "__"): each for key, each in CALL.items()}
    name = "gen_ai.client.inference.usage."
    memory = Memory()
    content = body(
        counter(f"{name}input_tokens", point(1000.0, **plain)),
        counter(f"{name}cache_read.input_tokens", point(400.0, **plain)),
        counter(f"{name}cache_write.input_tokens", point(50.0, **plain)),
        counter(f"{name}output_tokens", point(30.0, **plain)),
    )

    parsed = one(content, memory)

    assert sums([parsed]) == {"input_tokens": 1000, "cached_input_tokens": 400, "output_tokens": 30}
    assert parsed.activity["rows"].tolist() == [2, 1]
    assert (parsed.received, parsed.outside) == (4, 1)
    alone = one(body(counter(f"{name}cache_read.input_tokens", point(500.0, 120, **plain))), memory)
    assert alone.outside == 1  # it stays to be counted with the next input
    later = one(
        body(
            counter(f"{name}input_tokens", point(1300.0, 180, **plain)),
            counter(f"{name}cache_read.input_tokens", point(600.0, 180, **plain)),
        ),
        memory,
    )
    assert sums([later]) == {"input_tokens": 300, "cached_input_tokens": 200}


def test_cached_tokens_count_once_where_inputs_or_parts_stand_in_two_units() -> None:
    plain = {key.replace(".", "__"): each for key, each in CALL.items()}
    name = "gen_ai.client.inference.usage."
    inputs = [
        counter(f"{name}input_tokens", point(value, **plain), unit=unit) for value, unit in ((1000.0, "1"), (50.0, ""))
    ]
    parts = [
        counter(f"{name}cache_read.input_tokens", point(value, **plain), unit=unit)
        for value, unit in ((400.0, "1"), (100.0, ""))
    ]

    of_two_inputs, of_two_parts = one(body(*inputs, parts[0])), one(body(inputs[0], *parts))

    assert sums([of_two_inputs]) == {"input_tokens": 1050, "cached_input_tokens": 400}
    assert sums([of_two_parts]) == {"input_tokens": 1000, "cached_input_tokens": 500}
    assert [each.activity["rows"].sum() for each in (of_two_inputs, of_two_parts)] == [3, 3]


def test_energy_of_a_host_is_measured() -> None:
    resource = {
        "service.name": "node-agent",
        "host.name": "gpu-7",
        "cloud.provider": "gcp",
        "cloud.region": "europe-west4",
    }
    content = body(counter("hw.host.energy", point(7.2e6, 3600, hw__id="host-7"), unit="J"), resource=resource)

    [found] = one(content).activity.to_dict("records")

    assert found["energy_kwh"] == pytest.approx(2.0)  # 7.2 MJ
    assert (found["energy_boundary"], found["evidence"]) == ("it", "measured")
    assert (found["hosting"], found["provider"], found["region"]) == ("cloud", "gcp", "europe-west4")
    assert found["labels"]["host.name"] == "gpu-7"
    assert "signal" not in found["labels"]


def test_energy_of_a_gpu_is_that_of_a_device() -> None:
    resource = {"service.name": "node-agent", "host.id": "7", "team": "vision"}
    gpu = {"hw__id": "GPU-1", "hw__type": "gpu", "hw__model": "NVIDIA H100 80GB HBM3", "hw__name": "slot 3"}

    [found] = one(body(counter("hw.energy", point(1.8e6, 5400, **gpu), unit="J"), resource=resource)).activity.to_dict(
        "records"
    )

    assert found["energy_kwh"] == pytest.approx(0.5)  # 1.8 MJ
    assert found["device_hours"] == pytest.approx(1.5)  # one device for 5,400 s
    assert (found["energy_boundary"], found["hardware"]) == ("device", "NVIDIA H100 80GB HBM3")
    assert (found["team"], found["labels"]["host.name"], found["labels"]["hw.type"]) == ("vision", "7", "gpu")


def test_parts_that_hold_others_are_outside() -> None:
    types = ("cpu", "memory", "power_supply", "enclosure", "fan", "disk_controller")
    points = [point(3600.0, 60, hw__id=f"part-{each}", hw__type=each) for each in types]

    parsed = one(body(counter("hw.energy", *points, unit="J")))

    assert parsed.activity["labels"].map(lambda labels: labels["hw.type"]).tolist() == ["cpu", "memory"]
    assert parsed.activity["energy_boundary"].tolist() == ["it", "it"]
    assert (parsed.outside, parsed.rejected) == (4, [])


def test_energy_beyond_what_a_host_draws_is_quarantined() -> None:
    content = body(counter("hw.host.energy", point(3.6e6 * 61, 3600), unit="J"))  # 61 kW

    assert [found.reason for found in one(content).rejected] == ["implausible_energy"]


@pytest.mark.parametrize(
    ("given_metric", "field", "reason"),
    [
        (
            metric("gen_ai.client.token.usage", usage(1, "input"), kind="gauge"),
            "gen_ai.client.token.usage",
            "bad_field",
        ),
        (metric("hw.host.energy", point(1.0), kind="gauge", unit="J"), "hw.host.energy", "bad_field"),
        (counter("hw.host.energy", point(1.0), unit="J", isMonotonic=False), "hw.host.energy", "bad_field"),
        (counter("hw.host.energy", point(1.0), unit="cal"), "unit", "unknown_unit"),
        (counter("hw.host.energy", point(-1.0), unit="J"), "hw.host.energy", "negative_quantity"),
        (counter("hw.host.energy", point("Infinity"), unit="J"), "hw.host.energy", "bad_field"),
        (tokens(usage(1, "input"), aggregationTemporality=0), "aggregationTemporality", "bad_field"),
        (tokens(usage(1.5, "input")), "gen_ai.client.token.usage", "bad_field"),
        (tokens(usage(1, "thought")), "gen_ai.token.type", "bad_field"),
        (tokens(usage(1, "input"), unit="{word}"), None, None),
        (tokens(point(1.0, 60, start_s=61, count=1, gen_ai__token__type="input")), "timeUnixNano", "negative_interval"),
        (tokens(usage(1, "input", 86_400)), "timeUnixNano", "clock_skew"),
        (tokens({**usage(1, "input"), **LONG_AGO}), "timeUnixNano", "too_old"),
    ],
)
def test_bad_point_goes_alone(given_metric: Any, field: str | None, reason: str | None) -> None:
    if reason is None:
        given_metric, field, reason = {**given_metric, "unit": "{word}"}, "unit", "unknown_unit"
    memory = Memory()

    parsed = one(body(given_metric, tokens(usage(9, "output"))), memory)

    assert [(found.field, found.reason) for found in parsed.rejected] == [(field, reason)]
    assert sums([parsed]) == {"output_tokens": 9}
    assert len(memory.changed) == 1  # what was refused is not what the counter showed


def test_gauges_are_told_back_to_the_exporter() -> None:
    content = body(metric("gen_ai.client.token.usage", usage(1, "input"), usage(2, "output"), kind="gauge"))

    accepted = otlp.accept(content, JSON, "metrics")

    assert (accepted.received, accepted.rejected) == (2, 2)
    assert "cannot be added up" in accepted.message


def test_other_metrics_and_operations_are_outside() -> None:
    agent = usage(500, "input", gen_ai__operation__name="invoke_agent")
    ended = {**usage(100, "output"), "flags": 1}
    parsed = one(body(metric("system.cpu.utilization", point(0.5), kind="gauge", unit="1"), tokens(agent, ended)))

    assert (parsed.received, parsed.outside, parsed.rejected) == (3, 3, [])


def test_points_that_differ_only_in_a_user_are_added_up() -> None:
    content = body(tokens(usage(100, "input", user__id="ada"), usage(11, "input", user__id="bob")))

    parsed = one(content)

    assert b"ada" not in otlp.scrub(content, JSON, "metrics")
    assert parsed.activity["rows"].tolist() == [2]
    assert sums([parsed]) == {"input_tokens": 111}


def test_unread_attributes_tell_counters_apart_but_are_not_kept() -> None:
    secret = "the secret plan"
    content = body(tokens(usage(100, "input", note=secret), usage(11, "input", note="else")))

    stored = otlp.scrub(content, JSON, "metrics")

    assert b"secret plan" not in stored
    assert otlp.scrub(stored, JSON, "metrics") == stored
    assert len(one(content).activity) == 2


def test_metrics_that_are_not_read_keep_nothing_but_their_number() -> None:
    content = body(metric("app.prompt", point(1.0, prompt="the secret plan"), kind="gauge"))

    stored = otlp.scrub(content, JSON, "metrics")

    assert b"secret plan" not in stored
    assert one(content).received == 1


def test_two_processes_that_cannot_be_told_apart_by_name_are_by_their_start() -> None:
    memory = Memory()
    one_process = body(tokens(usage(100, "input")))
    other = body(tokens({**usage(40, "input"), "startTimeUnixNano": str(START + 7)}))

    parsed = [one(one_process, memory), one(other, memory)]

    assert sums(parsed) == {"input_tokens": 140}


FIELDS = (
    *(
        "resourceMetrics",
        "scopeMetrics",
        "metrics",
        "resourceSpans",
        "scopeSpans",
        "spans",
        "dataPoints",
        "name",
        "unit",
        "sum",
        "histogram",
        "gauge",
    ),
    *("attributes", "key", "value", "stringValue", "intValue", "doubleValue", "timeUnixNano", "startTimeUnixNano"),
    *("asInt", "asDouble", "count", "flags"),
)
finite = st.floats(allow_nan=False, allow_infinity=False)

# --- anything at all --------------------------------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "resourceMetrics",
                    "scopeMetrics",
                    "metrics",
                    "dataPoints",
                    "name",
                    "unit",
                    "sum",
                    "histogram",
                    "gauge",
                    "attributes",
                    "key",
                    "value",
                    "stringValue",
                    "intValue",
                    "doubleValue",
                    "timeUnixNano",
                    "startTimeUnixNano",
                    "asInt",
                    "asDouble",
                    "count",
                    "flags",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.binary(max_size=400) | anything.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(["traces", "metrics", "logs"]),
)
@settings(max_examples=200, deadline=None)
def test_whatever_is_sent_is_read_or_refused(content: bytes, signal: str) -> None:
    for media_type in (JSON, PROTOBUF):
        otlp.detect(content, "x.pb")
        try:
            accepted = otlp.accept(content, media_type, signal)
            read(otlp, content, content_type=media_type, filename=signal)
        except otlp.UnreadablePayload:
            continue
        assert accepted.rejected <= accepted.received


@given(
    st.sampled_from([*sorted(otlp_known_metrics.READ), "ecologits_requests", "ecologits_input_tokens"]),
    st.sampled_from(["sum", "gauge", "histogram", "exponentialHistogram", "summary"]),
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "startTimeUnixNano": st.integers(0, 2**64 - 1).map(str),
                "timeUnixNano": st.integers(0, 2**64 - 1).map(str) | st.just(str(START)),
                "asDouble": finite | st.sampled_from(["NaN", "Infinity", "-Infinity"]),
                "asInt": st.integers(-(2**63), 2**63 - 1).map(str),
                "sum": finite,
                "count": st.integers(0, 2**64 - 1).map(str),
                "flags": st.integers(0, 3),
            },
        ),
        max_size=4,
    ),
    st.sampled_from(["ecologits", "x"]),
    st.integers(0, 3),
    st.sampled_from(["", "1", "J", "{token}"]),
)
@settings(max_examples=200, deadline=None)
def test_every_point_ends_in_one_place(
    name: str, kind: str, points: list[Any], scope: str, temporality: int, unit: str
) -> None:
    for each in points:
        each["attributes"] = [attribute("gen_ai.token.type", "input")]
    given_metric = metric(name, *points, kind=kind, unit=unit, aggregationTemporality=temporality, isMonotonic=True)
    content = body(given_metric, scope=scope)

    parsed = one(content, Memory())  # Parsed itself holds the sum of its places against the rows received
    assert otlp.accept(content, JSON, "metrics").received == parsed.received == len(points)
