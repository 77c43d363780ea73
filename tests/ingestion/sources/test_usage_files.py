"""What every source of gateways, usage APIs and seats holds: no crash, nothing lost, nobody named, the same ids however cut."""

from __future__ import annotations

import copy
import io
import json
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.sources import anthropic_usage, assistant_seats, langfuse, litellm, openai_usage, openrouter
from ingestion.sources.base import Context, UnreadablePayload
from tests.ingestion.sources.samples import PAYLOADS, RECEIVED_AT, activity_of, requests

Case = tuple[ModuleType, str, Any]
FILES: list[tuple[ModuleType, str]] = [
    (openai_usage, "openai/usage-completions-page1.json"),
    (openai_usage, "openai/costs.json"),
    (anthropic_usage, "anthropic/usage-report-messages.json"),
    (anthropic_usage, "anthropic/cost-report.json"),
    (openrouter, "openrouter/activity.json"),
    (langfuse, "langfuse/observations-v2.json"),
    (litellm, "litellm/spend-logs.json"),
    (assistant_seats, "assistant_seats/copilot-seats-2026-10.json"),
]
CASES: list[Case] = [
    *((adapter, name, json.loads((PAYLOADS / name).read_text())) for adapter, name in FILES),
    (litellm, "events.json", [json.loads(each.body) for each in requests("litellm", "generic-api-1.106.2.jsonl")][1]),
]
NAMED = pytest.mark.parametrize(("adapter", "name", "sample"), CASES, ids=[name for _, name, _ in CASES])
BOUNDED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SECRET = "SECRET-7f3a"
PERSONAL = (
    *(
        "user",
        "user_id",
        "userId",
        "user_email",
        "email",
        "end_user",
        "api_key",
        "api_key_id",
        "actor",
        "messages",
        "prompt",
    ),
    *("input", "output", "content", "login", "name_of_person", "requester_ip_address", "user_agent"),
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def read(adapter: ModuleType, name: str, body: bytes) -> list[Any]:
    """Scrub and parse as door and worker do; every received row is in one place (Parsed refuses anything else)."""
    stored = adapter.scrub(body, "application/json", name)
    return list(adapter.parse(io.BytesIO(stored), Context(RECEIVED_AT, filename=name)))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the paths of all values in a JSON document."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *(found for key, item in inner for found in places(item, (*path, key)))]


def put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Give a copy of a document with another value at a path."""
    if not path:
        return value
    changed = copy.deepcopy(document)
    target = changed
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return changed


@NAMED
@BOUNDED
@given(data=st.data())
def test_nothing_but_unreadable_payload_escapes(
    adapter: ModuleType, name: str, sample: Any, data: st.DataObject
) -> None:
    changed = put(sample, data.draw(st.sampled_from(places(sample))), data.draw(ANY_JSON))
    body = json.dumps(changed).encode()
    cut = data.draw(st.integers(0, len(body)))

    for damaged in (body, body[:cut]):
        adapter.detect(damaged[:65536], name)
        try:
            read(adapter, name, damaged)
        except UnreadablePayload:
            continue


@pytest.mark.parametrize("adapter", dict.fromkeys(adapter for adapter, _, _ in CASES), ids=lambda each: str(each.NAME))
@BOUNDED
@given(body=st.binary(max_size=200))
def test_bytes_of_any_kind_are_read_or_refused(adapter: ModuleType, body: bytes) -> None:
    adapter.detect(body, "file.csv")
    try:
        read(adapter, "file-2026-10.json", body)
    except UnreadablePayload:
        return


@NAMED
def test_deeply_nested_json_is_refused(adapter: ModuleType, name: str, sample: Any) -> None:
    with pytest.raises(UnreadablePayload):
        read(adapter, name, b'{"data":' + b"[" * 200_000)


@NAMED
def test_nobody_is_named_wherever_the_name_stands(adapter: ModuleType, name: str, sample: Any) -> None:
    """Personal fields are added to every object of a document; neither the stored bytes nor any row may hold them."""

    def laden(value: Any) -> Any:
        if isinstance(value, list):
            return [laden(item) for item in value]
        if isinstance(value, dict):
            return {key: laden(item) for key, item in value.items()} | {
                key: SECRET for key in PERSONAL if key not in value
            }
        return value

    body = json.dumps(laden(sample)).encode()

    assert SECRET not in adapter.scrub(body, "application/json", name).decode()
    for parsed in read(adapter, name, body):
        assert SECRET not in parsed.activity.to_csv()
        assert SECRET not in repr([rejection.payload for rejection in parsed.rejected])


@NAMED
def test_scrubbing_twice_is_scrubbing_once(adapter: ModuleType, name: str, sample: Any) -> None:
    """A file goes through the scrubber where it comes in, and its stored form is what the worker reads."""
    body = json.dumps(sample).encode()
    direct = list(adapter.parse(io.BytesIO(body), Context(RECEIVED_AT, filename=name)))

    assert activity_of(direct).to_csv() == activity_of(read(adapter, name, body)).to_csv()


@pytest.mark.parametrize(
    ("adapter", "name", "sample"), [case for case in CASES if case[1].startswith(("o", "e", "lan"))]
)
def test_payload_cut_in_pieces_gives_the_same_ids(adapter: ModuleType, name: str, sample: Any) -> None:
    rows = sample["data"] if isinstance(sample, dict) else sample
    pieces = [({**sample, "data": [row]} if isinstance(sample, dict) else [row]) for row in rows]

    whole = activity_of(read(adapter, name, json.dumps(sample).encode()))
    cut = activity_of([each for piece in pieces for each in read(adapter, name, json.dumps(piece).encode())])

    assert sorted(whole["record_id"]) == sorted(cut["record_id"])
