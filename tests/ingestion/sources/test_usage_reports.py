"""Files of usage pages in a window: the same rows however it cuts them, the later page counts, memory stays."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.quantification.rejections import Cover
from ingestion.sources import anthropic_usage, assistant_seats, json_stream, monthly_totals, openai_usage, openrouter
from ingestion.sources.base import Context, UnreadablePayload
from tests.ingestion.sources.samples import RECEIVED_AT

DAY_S = 86_400
FIRST = datetime(2026, 10, 1, tzinfo=UTC)
WHOLE = 1 << 18

Page = list[tuple[int, list[tuple[str, int]]]]
"""Its buckets: (day of October, from 0; results: (model, tokens))."""
PAGES = st.lists(
    st.lists(
        st.tuples(st.integers(0, 4), st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 99)), max_size=5)),
        max_size=3,
    ),
    min_size=1,
    max_size=4,
)


def openai(pages: list[Page], fields: tuple[str, ...] = ("object", "start_time", "end_time", "results")) -> bytes:
    """Write pages of completions as a loop over the API saves them, with the fields of a bucket in some order."""

    def result(model: str, tokens: int) -> dict[str, Any]:
        return {
            "object": "organization.usage.completions.result",
            "input_tokens": tokens,
            "num_model_requests": 1,
            "model": model,
        }

    def bucket(day: int, results: list[tuple[str, int]]) -> dict[str, Any]:
        start = int(FIRST.timestamp()) + day * DAY_S
        found = {
            "object": "bucket",
            "start_time": start,
            "end_time": start + DAY_S,
            "results": [result(*each) for each in results],
        }
        return {name: found[name] for name in fields}

    data = [[bucket(*each) for each in page] for page in pages]
    return b"\n".join(
        json.dumps({"object": "page", "data": each, "has_more": each is not data[-1]}).encode() for each in data
    )


def read(adapter: ModuleType, body: bytes, window: int = WHOLE, chunk: int = 4_000) -> list[Any]:
    """Scrub and parse a file as door and worker do, through windows and in chunks of a size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "PIECE_BYTES", window)
        patch.setattr(json_stream, "CHUNK_ITEMS", chunk)
        stored = adapter.scrub_file(io.BytesIO(body)).read()
        return list(adapter.parse(io.BytesIO(stored), Context(RECEIVED_AT)))


def tokens(parsed: list[Any]) -> Counter[tuple[int, str]]:
    """Give what a file says of each day and model."""
    found: Counter[tuple[int, str]] = Counter()
    for each in parsed:
        for row in each.activity.itertuples():
            found[row.started_at.day - 1, row.model] += row.input_tokens
    return +found


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(PAGES, st.integers(1, 400), st.integers(1, 3))
def test_windows_and_chunks_of_any_size_give_the_same(pages: list[Page], window: int, chunk: int) -> None:
    """Of a day and model the last page that has them counts, with all that it says of them."""
    latest: dict[tuple[int, str], int] = {}
    for number, page in enumerate(pages):
        latest |= {(day, model): number for day, results in page for model, _ in results}
    said: Counter[tuple[int, str]] = Counter()
    for number, page in enumerate(pages):
        for day, results in page:
            for model, amount in results:
                said[day, model] += amount * (latest[day, model] == number)
    rows = sum(len(results) for page in pages for _, results in page)

    whole, cut = read(openai_usage, openai(pages)), read(openai_usage, openai(pages), window, chunk)

    for parsed in (whole, cut):
        assert tokens(parsed) == +said
        assert sum(each.received for each in parsed) == rows
    assert [each.cover for each in cut if each.cover] == [each.cover for each in whole if each.cover]
    assert [line for each in cut for line in each.log] == [line for each in whole for line in each.log]


@pytest.mark.parametrize("window", [1, 50, 300, WHOLE])
@pytest.mark.parametrize("fields", [("start_time", "end_time", "results"), ("results", "end_time", "start_time")])
def test_fields_of_a_large_bucket_stand_in_any_order(window: int, fields: tuple[str, ...]) -> None:
    body = openai([[(0, [("a", 1), ("b", 2), ("a", 4)]), (1, [("a", 8)])]], fields)

    parsed = read(openai_usage, body, window)

    assert tokens(parsed) == {(0, "a"): 5, (0, "b"): 2, (1, "a"): 8}
    assert {(each.started_at, each.ended_at) for each in parsed[-1].cover} == {(FIRST, FIRST + timedelta(days=2))}


@pytest.mark.parametrize("window", [1, WHOLE])
def test_bucket_of_another_page_is_covered_for_the_reports_of_its_own(window: int) -> None:
    """An empty bucket says that there was nothing, of what its page is about."""
    costs = {"object": "organization.costs.result", "amount": {"value": 1.5, "currency": "usd"}}
    start = int(FIRST.timestamp())
    page = {
        "data": [
            {"start_time": start, "end_time": start + DAY_S, "results": [costs]},
            {"start_time": start + DAY_S, "end_time": start + 2 * DAY_S, "results": []},
        ]
    }

    parsed = read(openai_usage, json.dumps([page, json.loads(openai([[(4, [("a", 1)])]]))]).encode(), window)

    daily = [each for part in parsed for each in part.cover if each.snapshot.endswith(":86400")]
    assert daily == [
        Cover("openai_usage:completions:86400", {}, FIRST + timedelta(days=4), FIRST + timedelta(days=5)),
        Cover("openai_usage:costs:86400", {}, FIRST, FIRST + timedelta(days=2)),
    ]


def test_file_that_breaks_off_gives_no_row_at_all() -> None:
    body = openai([[(0, [("a", 1)])], [(1, [("a", 1)])]])[:-40]

    with pytest.raises(UnreadablePayload):
        next(iter(openai_usage.parse(io.BytesIO(body), Context(RECEIVED_AT))))


def bodies(rows: int) -> dict[ModuleType, bytes]:
    """Write a file of so many rows for each format."""
    usage = {"uncached_input_tokens": 1, "output_tokens": 1, "workspace_id": "w"}
    place = {"starting_at": "2026-10-01T00:00:00Z", "ending_at": "2026-10-02T00:00:00Z"}
    results = [{**usage, "model": f"m-{at}"} for at in range(rows)]
    host = {"date": "2026-10-01", "prompt_tokens": 1, "requests": 1, "model": "m"}
    month = {"month": "2026-10", "vendor": "v", "product": "p", "seats": 3}
    return {
        openai_usage: openai([[(0, [(f"m-{at}", 1) for at in range(rows)])]]),
        anthropic_usage: json.dumps({"data": [{**place, "results": results}]}).encode(),
        openrouter: json.dumps({"data": [{**host, "endpoint_id": str(at)} for at in range(rows)]}).encode(),
        assistant_seats: json.dumps([{**month, "team": f"t-{at}"} for at in range(rows)]).encode(),
        monthly_totals: json.dumps([{**month, "team": f"t-{at}"} for at in range(rows)]).encode(),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "adapter", [openai_usage, anthropic_usage, openrouter, assistant_seats, monthly_totals], ids=lambda each: each.NAME
)
def test_memory_does_not_grow_with_the_file(adapter: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "PIECE_BYTES", 1 << 14)
    monkeypatch.setattr(json_stream, "CHUNK_ITEMS", 200)

    def peak(rows: int) -> int:
        stream = io.BytesIO(bodies(rows)[adapter])
        stored = io.BytesIO(adapter.scrub_file(stream).read())
        stream.seek(0)
        tracemalloc.start()
        with adapter.scrub_file(stream) as clean:
            while clean.read(4096):
                pass
        assert sum(len(each.activity) for each in adapter.parse(stored, Context(RECEIVED_AT))) == rows
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(200)  # what is loaded once

    small, large = peak(1_000), peak(4_000)

    assert large < 1.1 * small
