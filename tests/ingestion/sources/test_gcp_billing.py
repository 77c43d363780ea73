"""Google's detailed usage cost in its three forms: what each row becomes, and pieces of one key."""

from __future__ import annotations

import copy
import csv
import gzip
import io
import json
from datetime import datetime
from types import ModuleType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.sources import gcp_billing, gcp_carbon
from ingestion.sources.base import Context, Parsed, UnreadablePayload
from ingestion.sources.byte_streams import unpacked
from ingestion.summing import Sums, once_each
from tests.ingestion.sources.samples import PAYLOADS, RECEIVED_AT, activity_of, check, expected, read

FILE = (PAYLOADS / "gcp" / "billing-export-resource.jsonl").read_bytes()
ROWS = [json.loads(line) for line in FILE.splitlines()]
TOKENS, GPU, CORE, ADJUSTMENT, TAX = ROWS[0], ROWS[3], ROWS[4], ROWS[5], ROWS[6]


def row(of: dict[str, Any] = TOKENS, **changes: Any) -> dict[str, Any]:
    """A row of the sample; `sku__description="..."` changes a part."""
    made = copy.deepcopy(of)
    for name, value in changes.items():
        *outer, last = name.split("__")
        place = made
        for part in outer:
            place = place[part]
        place[last] = value
    return made


def lines(*rows: Any) -> bytes:
    return b"\n".join(json.dumps(each).encode() for each in rows)


def parsed(*rows: Any, **setting: Any) -> Parsed:
    [chunk] = read(gcp_billing, lines(*rows), setting=setting)
    return chunk


def record(made: dict[str, Any], **setting: Any) -> pd.Series:
    chunk = parsed(made, **setting)
    assert chunk.rejected == []
    assert len(chunk.activity) == 1
    return chunk.activity.iloc[0]


# --- samples ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", expected("gcp", "gcp_billing"))
def test_export_reaches_its_sums(entry: dict[str, Any]) -> None:
    [chunk] = read(gcp_billing, FILE)

    assert {"received": chunk.received, "quarantined": len(chunk.rejected)} == entry["counts"]
    check(activity_of([chunk]), entry)


# --- what a row becomes -----------------------------------------------------------------------------------------------


def test_token_row_is_an_hour_of_a_model() -> None:
    found = record(TOKENS)

    assert (found["input_tokens"], found["model"], found["provider"], found["hosting"]) == (
        313722,
        "Gemini 2.5 Flash",
        "gcp",
        "api",
    )
    assert (found["started_at"], found["ended_at"]) == (pd.Timestamp("2026-10-01T09Z"), pd.Timestamp("2026-10-01T10Z"))
    assert (found["account"], found["region"], found["team"]) == ("rag-prod-481516", "europe-west4", "search")
    assert (found["cost"], found["currency"], found["flags"]) == (0.0941166, "USD", ())
    assert found["labels"] == {"service": "Vertex AI", "sku": "FDAB-647C-5A22"}
    assert pd.isna(found["snapshot"])
    assert found["record_id"].startswith("gcp:")


@pytest.mark.parametrize(
    ("sku", "column", "model"),
    [
        ("Gemini 2.5 Flash Lite Text Input - Predictions", "input_tokens", "Gemini 2.5 Flash Lite"),
        ("Gemini 2.5 Flash GA Thinking Text Output - Predictions", "output_tokens", "Gemini 2.5 Flash"),
        ("Gemini 2.5 Flash GA Text Output (Thinking On) - Predictions", "output_tokens", "Gemini 2.5 Flash"),
        ("Gemini 2.5 Pro Text Input Caching - Predictions", "cached_input_tokens", "Gemini 2.5 Pro"),
    ],
)
def test_direction_and_model_are_in_the_sku(sku: str, column: str, model: str) -> None:
    found = record(row(sku__description=sku, usage__amount="1000"))

    assert (found[column], found["model"]) == (1000, model)


@pytest.mark.parametrize(("word", "tier"), [("Batch ", "batch"), ("Priority ", "interactive")])
def test_service_level_is_in_the_sku(word: str, tier: str) -> None:
    assert record(row(sku__description=f"Gemini 2.5 Flash Text Input {word}- Predictions"))["tier"] == tier


def test_characters_are_a_quarter_of_a_token_and_say_so() -> None:
    sku = "Gemini 1.5 Pro Text Input Characters - Predictions"

    found = record(row(sku__description=sku, usage__amount=4000))
    assert (found["input_tokens"], found["flags"]) == (1000, ("characters",))


def test_caches_kept_are_cost_only() -> None:
    found = record(row(sku__description="Gemini 2.5 Pro Caching Storage", usage__unit="byte-seconds"))

    assert found["cost"] == 0.0941166
    assert pd.isna(found["input_tokens"])


def test_gpu_row_is_device_hours_and_the_parts_beside_it_cost_only() -> None:
    gpu, core = parsed(GPU, CORE).activity.to_dict("records")

    assert (gpu["device_hours"], gpu["hardware"], gpu["instance_type"]) == (64, "NVIDIA H100 80GB", "a3-highgpu-8g")
    assert (gpu["cost"], core["cost"]) == (10.3, 9.9)
    assert pd.isna(core["device_hours"])
    assert pd.isna(core["instance_hours"])


def test_tpu_is_chip_seconds() -> None:
    tpu = row(GPU, sku__description="TpuV5p in europe-west4", usage__amount=3600 * 8, credits=[])

    found = record(tpu)
    assert (found["device_hours"], found["hardware"]) == (8, "TPU v5p")


def test_disk_of_an_accelerator_machine_is_outside() -> None:
    assert parsed(row(GPU, sku__description="Storage PD Capacity", usage__unit="byte-seconds")).outside == 1


def test_service_is_known_by_its_id_when_it_is_renamed() -> None:
    assert record(row(service__description="Agent Platform"))["input_tokens"] == 313722


def test_global_endpoint_is_no_region() -> None:
    found = record(row(location={"location": "global", "region": "global"}))

    assert pd.isna(found["region"])
    assert found["flags"] == ("global_routing",)


def test_net_cost_below_zero_says_nothing_of_the_tokens() -> None:
    found = record(row(cost="0.5", credits=[{"name": "promotion", "amount": -0.75, "type": "PROMOTION"}]))

    assert (found["cost"], found["input_tokens"]) == (-0.25, 313722)


def test_adjustment_takes_usage_back() -> None:
    found = record(ADJUSTMENT)

    assert (found["input_tokens"], found["cost"]) == (-156861, -0.0470583)
    assert found["corrects"].startswith("gcp:")
    assert found["corrects"] != found["record_id"]


@pytest.mark.parametrize("amount", [0, 156861])
def test_adjustment_of_money_alone_changes_no_tokens(amount: int) -> None:
    found = record(row(ADJUSTMENT, usage__amount=amount))

    assert found["cost"] == -0.0470583
    assert pd.isna(found["input_tokens"])


@pytest.mark.parametrize("cost_type", ["tax", "rounding_error", "rounding error"])
def test_tax_and_rounding_are_money(cost_type: str) -> None:
    found = record(row(cost_type=cost_type))

    assert pd.isna(found["input_tokens"])
    assert found["labels"]["charge_category"] in ("tax", "adjustment")


@pytest.mark.parametrize(
    ("labels", "project_labels", "tags", "team"),
    [
        ([{"key": "team", "value": "a"}], [{"key": "team", "value": "b"}], [], "a"),
        ([], [{"key": "team", "value": "b"}], [{"key": "team", "value": "c", "namespace": "x"}], "c"),
        ([], [{"key": "Team", "value": "b"}], [], "b"),
        ([], [], [], None),
    ],
)
def test_team_is_the_label_nearest_to_the_row(labels: Any, project_labels: Any, tags: Any, team: str | None) -> None:
    found = record(row(labels=labels, project__labels=project_labels, tags=tags))

    assert (found["team"] if isinstance(found["team"], str) else None) == team


# --- forms ------------------------------------------------------------------------------------------------------------


def flat(value: dict[str, Any], mark: str, prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, each in value.items():
        if isinstance(each, dict):
            found |= flat(each, mark, f"{prefix}{name}{mark}")
        else:
            found[f"{prefix}{name}"] = json.dumps(each) if isinstance(each, list) else each
    return found


def as_csv(mark: str) -> bytes:
    rows = [flat(each, mark) for each in ROWS if each["project"]]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for each in rows for name in each)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_parquet(rows: list[dict[str, Any]] = ROWS) -> bytes:
    def typed(each: dict[str, Any]) -> dict[str, Any]:
        times = {
            name: datetime.fromisoformat(each[name].replace(" UTC", "+00:00"))
            for name in each
            if name.endswith("_time")
        }
        usage = {**each["usage"], "amount": float(each["usage"]["amount"])}
        return {**each, **times, "usage": usage}

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([typed(each) for each in rows]), buffer)
    return buffer.getvalue()


def records_of(body: bytes) -> pd.DataFrame:
    [chunk] = read(gcp_billing, body)
    assert chunk.rejected == []
    return chunk.activity.drop(columns="row")


@pytest.mark.parametrize("body", [as_csv("."), as_csv("_"), as_parquet(), gzip.compress(FILE)])
def test_every_form_gives_the_same_records(body: bytes) -> None:
    pd.testing.assert_frame_equal(records_of(body), records_of(FILE))


def test_numbers_may_come_as_text() -> None:
    as_text = [row(each, cost=str(each["cost"]), usage__amount=str(each["usage"]["amount"])) for each in ROWS]

    pd.testing.assert_frame_equal(records_of(lines(*as_text)), records_of(FILE))


# --- pieces -----------------------------------------------------------------------------------------------------------


def test_id_holds_the_export_time_and_no_quantity() -> None:
    first = parsed(TOKENS).activity["record_id"].iloc[0]

    assert parsed(row(usage__amount=1, cost=7)).activity["record_id"].iloc[0] == first
    assert parsed(row(export_time="2026-10-04 11:00:00 UTC")).activity["record_id"].iloc[0] != first
    assert parsed(row(export_time="2026-10-01 11:00:00.000001 UTC")).activity["record_id"].iloc[0] != first


def test_order_of_labels_is_no_difference() -> None:
    labels = [{"key": "team", "value": "a"}, {"key": "env", "value": "b"}]

    assert len(parsed(row(labels=labels), row(labels=labels[::-1])).activity) == 1


AMOUNTS = st.decimals(-1000, 1000, places=3)


@pytest.mark.slow
@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from([TOKENS, GPU, CORE, TAX]), AMOUNTS, AMOUNTS, st.sampled_from(["01 11", "02 12"])),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 3),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_rows_of_a_key_add_up_whatever_their_order_and_cut(
    rows: Any, chunk_rows: int, held_rows: int, random: Any
) -> None:
    table = [
        row(of, usage__amount=str(amount), cost=str(cost), export_time=f"2026-10-{time}:00:00 UTC")
        for of, amount, cost, time in rows
    ]
    whole = pd.concat([each.activity for each in once_each(iter(read(gcp_billing, lines(*table))))])
    random.shuffle(table)
    chunks = list(gcp_billing.parse(io.BytesIO(lines(*table)), Context(RECEIVED_AT), chunk_rows))

    with Sums(held_rows) as sums:
        rest = [sums.take(chunk) for chunk in chunks]
        cut = [chunk.activity for chunk in sums.chunks()]

    assert all(len(chunk.activity) == 0 for chunk in rest)
    together = pd.concat(cut, ignore_index=True) if cut else whole.iloc[:0]
    assert together["record_id"].is_unique
    left, right = (each.sort_values("record_id", ignore_index=True).drop(columns="row") for each in (together, whole))
    pd.testing.assert_frame_equal(left, right, check_exact=True)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"usage_start_time": "soon"}, "usage_start_time", "bad_field"),
        ({"usage_end_time": None}, "usage_end_time", "bad_field"),
        ({"usage_end_time": "2026-10-01 08:00:00 UTC"}, "usage_end_time", "negative_interval"),
        ({"usage_start_time": "2019-10-01 08:00:00 UTC"}, "usage_start_time", "too_old"),
        ({"export_time": None}, "export_time", "bad_field"),
        ({"billing_account_id": ""}, "billing_account_id", "bad_field"),
        ({"currency": "Dollars"}, "currency", "bad_field"),
        ({"cost": "much"}, "cost", "bad_field"),
        ({"credits": "some"}, "cost", "bad_field"),
        ({"credits": [{"name": "x"}]}, "cost", "bad_field"),
        ({"cost_type": "gift"}, "cost_type", "bad_field"),
        ({"cost_type": None}, "cost_type", "bad_field"),
        ({"usage__amount": "many"}, "usage.amount", "bad_field"),
        ({"usage__unit": "barrels"}, "usage.unit", "unknown_unit"),
        ({"labels": "team"}, "labels", "bad_field"),
    ],
)
def test_bad_row_is_quarantined_alone(changes: dict[str, Any], field: str, reason: str) -> None:
    [chunk] = gcp_billing.parse(io.BytesIO(lines(GPU, row(**changes), TAX)), Context(RECEIVED_AT))

    assert [(each.row, each.field, each.reason) for each in chunk.rejected] == [(2, field, reason)]
    assert (chunk.received, len(chunk.activity), chunk.outside) == (3, 1, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"{}", "columns are missing: billing_account_id"),
        (b"Obj\x01avro.schema", "Avro is not read here"),
        (gzip.compress(FILE)[:-30], "truncated or damaged"),
        (as_parquet()[:-20], "truncated or damaged"),
    ],
)
def test_other_files_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(UnreadablePayload, match=message):
        parsed_bytes(content)


def parsed_bytes(content: bytes) -> list[Parsed]:
    return read(gcp_billing, content)


# --- people -----------------------------------------------------------------------------------------------------------

PEOPLE = [{"key": "team", "value": "nlp"}, {"key": "user-email", "value": "ada@example.org"}]


@pytest.mark.parametrize("form", ["lines", "packed lines", "Parquet", "CSV"])
@pytest.mark.parametrize("place", ["labels", "project__labels", "tags"])
def test_people_are_dropped_before_storage(form: str, place: str) -> None:
    rows = [row(**{"labels": [], place: PEOPLE}), GPU]
    if form == "Parquet":
        body = as_parquet(rows)
    elif form == "CSV":
        text = io.StringIO()
        flattened = [flat(each, "_") for each in rows]
        writer = csv.DictWriter(text, list(dict.fromkeys(name for each in flattened for name in each)), restval="")
        writer.writeheader()
        writer.writerows(flattened)
        body = text.getvalue().encode()
    else:
        body = lines(*rows) if form == "lines" else gzip.compress(lines(*rows))

    stored = gcp_billing.scrub(body, "")

    [chunk] = list(gcp_billing.parse(io.BytesIO(stored), Context(RECEIVED_AT)))
    assert chunk.activity["team"].tolist()[0] == "nlp"
    assert "ada@" not in str(chunk.activity.to_dict("records"))
    inside = pq.read_table(io.BytesIO(stored)).to_pylist() if form == "Parquet" else unpacked(stored)
    assert "ada@" not in str(inside)


def test_line_without_people_stays_as_it_is() -> None:
    kept, changed = lines(GPU), lines(row(labels=PEOPLE))

    stored = gcp_billing.scrub(kept + b"\n" + changed, "")
    assert stored.startswith(kept + b"\n")
    assert gcp_billing.scrub(FILE, "") == FILE


def test_line_that_cannot_be_read_keeps_nothing_of_people() -> None:
    stored = gcp_billing.scrub(lines(GPU) + b'\n{"user": "ada@example.org", ', "")

    assert b"ada@" not in stored
    [chunk] = list(gcp_billing.parse(io.BytesIO(stored), Context(RECEIVED_AT)))
    assert [each.row for each in chunk.rejected] == [2]


def test_people_reach_no_quarantine() -> None:
    body = lines(GPU, row(labels=PEOPLE, cost="much"))

    [chunk] = list(gcp_billing.parse(io.BytesIO(body), Context(RECEIVED_AT)))
    assert "ada@" not in str(chunk.rejected[0].payload)


# --- any bytes --------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(st.sampled_from(sorted(TOKENS)), JSON, max_size=4), max_size=4))
def test_whatever_rows_hold_every_row_has_one_place(changes: list[dict[str, Any]]) -> None:
    chunk = parsed(TOKENS, *({**TOKENS, **each} for each in changes))

    assert chunk.received == len(changes) + 1
    assert int(chunk.activity["rows"].sum()) + len(chunk.rejected) + chunk.outside == chunk.received


@settings(deadline=None, max_examples=80)
@given(st.binary(max_size=300), st.sampled_from([b"", FILE[:1200], as_parquet()[:300], gzip.compress(FILE)[:300]]))
def test_no_bytes_end_in_anything_but_rows_or_a_refusal(content: bytes, before: bytes) -> None:
    gcp_billing.detect(before + content, "x")
    try:
        read(gcp_billing, before + content)
    except UnreadablePayload:
        return


@pytest.mark.parametrize("adapter", [gcp_billing, gcp_carbon])
def test_avro_is_refused_at_the_door_since_nobody_could_look_through_it(adapter: ModuleType) -> None:
    with pytest.raises(UnreadablePayload, match="Avro is not read here"):
        adapter.scrub_file(io.BytesIO(b"Obj\x01avro.schema and ada@example.org"))
