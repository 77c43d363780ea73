"""A source and a short way to write records through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pandas as pd
import pytest

from core.identifiers import uuid7
from core.ledger import services
from core.ledger.models import Source
from core.organizations.models import Organization
from core.quantification.records import to_activity

RECORD = {
    "record_id": "r1",
    "started_at": pd.Timestamp("2026-11-03T10:40:00Z"),
    "stage": "inference",
    "hosting": "api",
    "evidence": "modelled",
    "provider": "openai",
    "model": "gpt-5",
    "team": "search",
    "requests": 1,
    "input_tokens": 100,
}


def activity(*changes: dict[str, Any]) -> pd.DataFrame:
    """Make an activity table: one record for each dict, an instant in November 2026 unless it says otherwise."""
    records = [{**RECORD, **change} for change in changes]
    return to_activity([{**each, "ended_at": each.get("ended_at", each["started_at"])} for each in records])


@pytest.fixture
def source(organization: Organization) -> Source:
    return services.ensure_source(organization.id, "activity")


@pytest.fixture
def write(source: Source) -> Callable[..., services.BatchResult]:
    """Write records in a batch of their own and give what became of it."""

    def write(*changes: dict[str, Any], to: Source = source, **options: Any) -> services.BatchResult:
        batch = uuid7()
        return write_batch(to, batch, activity(*changes), **options)

    return write


def write_batch(source: Source, batch: UUID, frame: pd.DataFrame, **options: Any) -> services.BatchResult:
    with services.Writer(source.organization_id) as writer:
        writer.stage(frame, source_id=source.id, batch_id=batch, **options)
        return writer.commit().batches[batch]
