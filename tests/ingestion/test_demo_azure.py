"""The demo's subscription: its bill and its gateway's log are read whole, and the log holds its share of the bill's tokens."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from io import BytesIO

import pandas as pd
import pytest

from ingestion.demo import azure
from ingestion.sources import registry
from ingestion.sources.base import Context

DAYS = [date(2026, 9, 1) + timedelta(days=number) for number in range(61)]


def activity(kind: str, *bodies: bytes) -> pd.DataFrame:
    """Read payloads as their adapter does; nothing may be refused."""
    context = Context(received_at=datetime(2026, 11, 2, tzinfo=UTC), setting={}, defaults={}, filename="x")
    chunks = [chunk for body in bodies for chunk in registry.adapter(kind).parse(BytesIO(body), context)]
    assert not [each for chunk in chunks for each in chunk.rejected]
    return pd.concat([chunk.activity for chunk in chunks], ignore_index=True)


def test_the_gateway_sees_four_fifths_of_the_bill() -> None:
    bill = activity("azure_cost", *(body for _name, body in azure.monthly(DAYS)))
    log = activity("litellm", azure.spend_log(DAYS))

    assert set(bill["model"]) == {"gpt 4.1 mini"}  # as Azure spells it; the catalog knows both names
    assert set(log["model"]) == {azure.MODEL}
    assert len(log) == 60 * azure.LOGGED_CALLS
    billed = float(bill.loc[bill["started_at"] >= "2026-09-02", "output_tokens"].sum())
    assert float(log["output_tokens"].sum()) / billed == pytest.approx(0.8, rel=1e-4)
