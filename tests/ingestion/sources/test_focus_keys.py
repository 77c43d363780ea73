"""Keys of FOCUS bills: what is one record, that a file's cut never shows, and what a delivery speaks for."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.quantification.rejections import Cover
from tests.ingestion.sources.bills import (
    MACHINE,
    STORAGE,
    TOKENS,
    bill,
    parsed,
    records,
    summed,
)
from tests.payloads.focus.make_large import write_focus_csv

# --- equal keys -------------------------------------------------------------------------------------------------------


def test_rows_of_one_key_are_summed_and_counted() -> None:
    frame = records(TOKENS, STORAGE, {**TOKENS, "ConsumedQuantity": "0.5", "EffectiveCost": "0.25"})

    assert len(frame) == 1
    assert frame[["input_tokens", "cost", "row", "rows"]].iloc[0].tolist() == [2500, 0.75, 1, 2]


def test_order_of_tags_and_spelling_of_times_do_not_make_another_key() -> None:
    one = {**TOKENS, "Tags": '{"team": "search", "env": "prod"}'}
    other = {**TOKENS, "Tags": '"env": "prod","team": "search"', "ChargePeriodStart": "2026-10-01 11:00:00+02:00"}

    assert len(records(one, other)) == 1


def test_money_of_two_currencies_is_never_added() -> None:
    frame = records(TOKENS, {**TOKENS, "BillingCurrency": "USD"})

    assert frame["currency"].tolist() == ["EUR", "USD"]
    assert frame["record_id"].is_unique


@pytest.mark.parametrize(
    "column",
    [
        *(
            "BillingAccountId",
            "SubAccountId",
            "ServiceName",
            "SkuId",
            "SkuPriceId",
            "SkuMeter",
            "RegionId",
            "ResourceId",
        ),
        *("PricingCategory", "CommitmentDiscountId"),
    ],
)
def test_every_part_of_the_key_makes_another_record(column: str) -> None:
    other = {**TOKENS, column: "Amazon Bedrock 2" if column == "ServiceName" else "input-other"}

    assert len(records(TOKENS, other)) == 2


def test_resources_of_azure_are_compared_without_regard_to_case() -> None:
    azure = {**TOKENS, "ProviderName": "Microsoft", "ServiceName": "Azure OpenAI", "SkuMeter": "gpt 4.1 Inp Tokens"}

    frame = records({**azure, "ResourceId": "/a/RG/x"}, {**azure, "ResourceId": "/a/rg/X"})
    assert len(frame) == 1


def test_summing_money_is_exact() -> None:
    rows = [{**TOKENS, "EffectiveCost": "0.1"}] * 30

    assert records(*rows)["cost"].tolist() == [3.0]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("focus") / "large.csv"
    write_focus_csv(path, 400, seed=4)
    return path.read_bytes()


@pytest.mark.parametrize("chunk_rows", [pytest.param(7, marks=pytest.mark.slow), 100, 399])
def test_the_cut_into_chunks_does_not_show(large: bytes, chunk_rows: int) -> None:
    doubled = io.BytesIO(large + large.split(b"\n", 1)[1])  # every key twice
    whole = parsed(doubled)

    doubled.seek(0)
    cut = parsed(doubled, chunk_rows)
    assert len(cut) == -(-800 // chunk_rows)
    pd.testing.assert_frame_equal(summed(cut), summed(whole))
    assert cut[-1].cover == whole[-1].cover
    assert all(chunk.cover == [] for chunk in cut[:-1])
    assert sum(chunk.outside for chunk in cut) == whole[0].outside


AMOUNTS = st.decimals(-1000, 1000, places=6)


@pytest.mark.slow
@settings(deadline=None, max_examples=20)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from([TOKENS, MACHINE, STORAGE]), AMOUNTS, AMOUNTS, st.integers(0, 2)),
        min_size=1,
        max_size=6,
    ),
    chunk_rows=st.integers(1, 3),
)
def test_sums_do_not_depend_on_chunks_whatever_the_amounts(
    rows: list[tuple[dict[str, str], Any, Any, int]], chunk_rows: int
) -> None:
    table = [
        {**row, "ConsumedQuantity": str(quantity), "EffectiveCost": str(cost), "SkuPriceId": str(price)}
        for row, quantity, cost, price in rows
    ]

    whole, cut = parsed(bill(*table)), parsed(bill(*table), chunk_rows)
    assert sum(chunk.outside for chunk in cut) == whole[0].outside
    if len(whole[0].activity):
        left, right = summed(cut), summed(whole)
        pd.testing.assert_frame_equal(left, right, rtol=1e-12)


# --- what the delivery speaks for -------------------------------------------------------------------------------------


def test_cover_names_accounts_from_first_to_last_usage() -> None:
    other = {
        **STORAGE,
        "SubAccountId": "2",
        "ChargePeriodStart": "2026-10-05T00:00:00Z",
        "ChargePeriodEnd": "2026-10-06T00:00:00Z",
    }
    fee = {**STORAGE, "ChargeCategory": "Purchase", "ChargePeriodEnd": "2029-10-01T00:00:00Z"}

    (chunk,) = parsed(bill(TOKENS, other, fee))
    start, end = datetime(2026, 10, 1, 9, tzinfo=UTC), datetime(2026, 10, 6, tzinfo=UTC)
    assert chunk.cover == [
        Cover("focus:999988887777:2026-10", {"account": "123456789012"}, start, end),
        Cover("focus:999988887777:2026-10", {"account": "2"}, start, end),
    ]


def test_rows_without_sub_account_belong_to_the_billing_account() -> None:
    (chunk,) = parsed(bill({**TOKENS, "SubAccountId": "NULL"}))

    assert chunk.activity["account"].tolist() == ["999988887777"]
    assert [cover.scope for cover in chunk.cover] == [{"account": "999988887777"}]


def test_cover_of_two_months_is_kept_apart() -> None:
    november = {
        "BillingPeriodStart": "2026-11-01T00:00:00Z",
        "ChargePeriodStart": "2026-11-03T00:00:00Z",
        "ChargePeriodEnd": "2026-11-04T00:00:00Z",
    }

    (chunk,) = parsed(bill(TOKENS, {**TOKENS, **november}))
    assert [(cover.snapshot[-7:], cover.started_at, cover.ended_at) for cover in chunk.cover] == [
        ("2026-10", datetime(2026, 10, 1, 9, tzinfo=UTC), datetime(2026, 10, 1, 10, tzinfo=UTC)),
        ("2026-11", datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC)),
    ]
