"""People in bills: nobody's name is left in the file that is kept, in records or in the quarantine."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.sources import aws_carbon, aws_cur2, focus
from ingestion.sources.base import Context, UnreadablePayload
from tests.ingestion.sources.bills import RECEIVED_AT, TOKENS, bill, summed
from tests.ingestion.sources.bills import parsed as parsed_focus
from tests.ingestion.sources.reports import BEDROCK, FIRST, LEGACY, PAYLOADS, STORAGE, legacy, parsed, report

NAMES = ("jane", "doe@example.org", "9067f7c4")
PERSONAL = {
    **BEDROCK,
    "line_item_iam_principal": "arn:aws:iam::123456789012:user/jane",
    "line_item_user_identifier": "9067f7c4-d0a1-70c4",
    "resource_tags": '{"user_team": "search", "user_email": "doe@example.org", "iamPrincipal/UserName": "jane"}',
}
SESSION = {**BEDROCK, "line_item_iam_principal": "arn:aws:sts::123456789012:assumed-role/analyst/doe@example.org"}
OLD = {
    **legacy({name: text for name, text in BEDROCK.items() if name != "resource_tags"}),
    "resourceTags/user:team": "search",
    "resourceTags/user:email": "doe@example.org",
}


def named_in(content: bytes | str) -> list[str]:
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    return [name for name in NAMES if name in text]


def everything(chunks: list[Any]) -> str:
    """Write all that an adapter gives away as text."""
    return "".join(
        chunk.activity.to_json(orient="records", date_format="iso") + repr(chunk.rejected) + str(chunk.cover)
        + json.dumps([each.payload for each in chunk.rejected]) + " ".join(chunk.log)
        + ("" if chunk.outside_by is None else chunk.outside_by.to_json())
        for chunk in chunks
    )  # fmt: skip


@pytest.mark.parametrize("row", [PERSONAL, SESSION, OLD], ids=["CUR 2.0", "session", "legacy"])
def test_nobody_is_left_in_the_file_that_is_kept(row: Mapping[str, str]) -> None:
    body = report(row, row).getvalue()
    assert named_in(body)

    kept = aws_cur2.scrub(body, "text/csv")
    assert named_in(kept) == []
    assert list(csv.DictReader(io.StringIO(kept.decode())))[1].keys() == row.keys()
    pd.testing.assert_frame_equal(summed(parsed(io.BytesIO(kept))), summed(parsed(io.BytesIO(body))))


@pytest.mark.parametrize("row", [PERSONAL, SESSION, OLD], ids=["CUR 2.0", "session", "legacy"])
def test_nobody_reaches_records_or_quarantine(row: Mapping[str, str]) -> None:
    unit = next(name for name in ("pricing_unit", "pricing/unit") if name in row)
    chunks = parsed(report(row, {**row, unit: "Furlongs"}))

    assert [len(chunk.rejected) for chunk in chunks] == [1]
    assert named_in(everything(chunks)) == []


def test_a_user_is_no_part_of_a_key_nor_hashed_in_it() -> None:
    other = {**PERSONAL, "line_item_iam_principal": "arn:aws:iam::1:user/joe", "line_item_user_identifier": "x"}
    other["resource_tags"] = '{"user_team": "search", "user_email": "joe@example.org"}'

    assert summed(parsed(report(PERSONAL)))["record_id"].tolist() == summed(parsed(report(other)))["record_id"].tolist()


def test_the_role_of_a_session_is_kept() -> None:
    kept = aws_cur2.scrub(report(SESSION).getvalue(), "text/csv")

    assert b"arn:aws:sts::123456789012:assumed-role/analyst," in kept
    assert parsed(io.BytesIO(kept))[0].activity["labels"][0]["iam_principal"] == "analyst"


def test_a_file_that_names_nobody_is_kept_as_it_is() -> None:
    with FIRST.open("rb") as stream:
        assert aws_cur2.scrub_file(stream) is stream
        assert stream.tell() == 0


def test_a_packed_file_stays_packed_without_people() -> None:
    packed = io.BytesIO(gzip.compress(report(*[PERSONAL] * 2000).getvalue()))

    with aws_cur2.scrub_file(packed) as clean:
        kept = clean.read()
    assert len(kept) < 20_000
    assert sum(chunk.received for chunk in parsed(io.BytesIO(kept))) == 2000


def test_of_a_line_that_does_not_fit_nothing_is_left_but_its_cells() -> None:
    lines = report(PERSONAL, BEDROCK).getvalue().splitlines(keepends=True)
    torn = b"".join([lines[0], b"jane,doe@example.org,3\r\n", *lines[1:]])

    kept = aws_cur2.scrub(torn, "text/csv")
    assert named_in(kept) == []
    (chunk,) = parsed(io.BytesIO(kept))
    assert [(each.row, each.detail) for each in chunk.rejected] == [(1, "3 cells where the header has 25")]
    assert chunk.received == 3


MAP = pa.map_(pa.string(), pa.string())
LIST = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
STRUCT = pa.struct([("user_team", pa.string()), ("user_email", pa.string())])


@pytest.mark.parametrize("form", [MAP, LIST, STRUCT], ids=["map", "list", "struct"])
def test_nested_tags_of_parquet_lose_their_people(form: pa.DataType) -> None:
    tags: list[dict[str, str] | None] = [{"user_team": "search", "user_email": "doe@example.org"}, None] * 3
    shaped: list[Any] = [
        None if each is None
        else each if form == STRUCT
        else [{"key": k, "value": v} for k, v in each.items()] if form == LIST
        else list(each.items())
        for each in tags
    ]  # fmt: skip
    columns = {name: pa.array([text] * 6) for name, text in BEDROCK.items()} | {"resource_tags": pa.array(shaped, form)}
    stream = io.BytesIO()
    pa.parquet.write_table(pa.table(columns), stream, row_group_size=4)
    stream.seek(0)

    with aws_cur2.scrub_file(stream) as clean:
        kept = clean.read()
    table = pa.parquet.read_table(io.BytesIO(kept))
    assert named_in(str(table.to_pydict())) == named_in(kept) == []
    assert table.schema.names == list(columns)
    assert summed(parsed(io.BytesIO(kept)))["team"].tolist().count("search") == 1


def test_quarantined_rows_of_focus_lose_tags_that_name_a_person() -> None:
    (chunk,) = parsed_focus(bill({**TOKENS, "ConsumedUnit": "Barrels", "Tags": '{"team": "a", "user:email": "jane"}'}))

    assert chunk.rejected[0].payload["Tags"] == '{"team": "a"}'  # type: ignore[index]  # a row


def test_answers_of_the_api_lose_fields_that_name_a_person() -> None:
    answer = json.loads((PAYLOADS / "sustainability-get-estimated-carbon-emissions.json").read_text())
    answer["user_email"] = "doe@example.org"

    kept = aws_carbon.scrub(json.dumps(answer).encode(), "application/json")
    assert named_in(kept) == []
    assert len(json.loads(kept)["Results"]) == 1


# --- whatever comes ---------------------------------------------------------------------------------------------------

CELL = st.one_of(
    st.sampled_from(
        sorted({*BEDROCK.values(), *PERSONAL.values(), "Usage", "NULL", "NaN", "-1", "9e99", "{", "\ufeff"})
    ),
    st.text(max_size=12),
)
HEADER = st.lists(
    st.one_of(st.sampled_from([*BEDROCK, *LEGACY.values(), "resourceTags/user:a", "x"]), st.text(max_size=8)),
    max_size=30,
)


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """Reports that hold anything: whole headers or torn ones, lines of any length, bytes cut off or put in."""
    whole = draw(st.booleans())
    header = list(BEDROCK) if whole else draw(HEADER)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    for _ in range(draw(st.integers(0, 4))):
        length = len(header) if draw(st.booleans()) else draw(st.integers(0, 30))
        writer.writerow(draw(st.lists(CELL, min_size=length, max_size=length)))
    body = text.getvalue().encode("utf-8", "replace")
    at = draw(st.integers(0, len(body)))
    return body[:at] + draw(st.binary(max_size=4)) + body[at + draw(st.integers(0, 3)) :]


@pytest.mark.slow
@settings(deadline=20_000, max_examples=150)
@given(body=st.one_of(tables(), st.binary(max_size=64), st.binary(max_size=64).map(lambda rest: b"PAR1" + rest)))
def test_nothing_but_an_unreadable_payload_ever_escapes(body: bytes) -> None:
    for adapter in (aws_cur2, aws_carbon, focus):
        adapter.detect(body[:1000], "x.csv")
        try:
            kept = adapter.scrub(body, "text/csv")
            chunks = list(adapter.parse(io.BytesIO(kept), Context(RECEIVED_AT)))
        except UnreadablePayload:
            continue
        assert all(chunk.received >= 0 for chunk in chunks)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(rows=st.lists(st.fixed_dictionaries(dict.fromkeys(BEDROCK, CELL)), max_size=5), chunk_rows=st.integers(1, 3))
def test_any_cells_end_each_in_one_place_however_the_file_is_cut(rows: list[dict[str, str]], chunk_rows: int) -> None:
    body = report(BEDROCK, *rows, STORAGE).getvalue()
    try:
        whole, cut = parsed(io.BytesIO(body)), parsed(io.BytesIO(body), chunk_rows)
    except UnreadablePayload:
        return
    for name in ("received", "outside"):
        assert sum(getattr(chunk, name) for chunk in cut) == sum(getattr(chunk, name) for chunk in whole)
    ids = [set().union(*(chunk.activity["record_id"] for chunk in chunks)) for chunks in (whole, cut)]
    assert ids[0] == ids[1]
