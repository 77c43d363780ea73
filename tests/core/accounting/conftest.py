"""Real records in a real ledger, so that derive has something to stand on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from core.factors.pack import load_pack
from core.factors.services import load_factor_set
from core.identifiers import uuid7
from core.ledger.services import Writer, ensure_source
from core.organizations.models import Organization
from core.quantification.records import to_activity

Write = Callable[..., int]


@pytest.fixture
def factor_set(organization):
    """The shipped factor tables, loaded."""
    return load_factor_set(load_pack()).factor_set


@pytest.fixture
def write(organization: Organization) -> Write:
    """Put records into the ledger: ``write(record, ..., source="gateway", organization=...)``; returns the source's id."""

    def into_ledger(
        *records: dict[str, Any], source: str = "gateway", kind: str = "activity", into: Organization = organization
    ) -> int:
        source_id = ensure_source(into.id, kind, source).id
        frame = to_activity(list(records))
        with Writer(into.id) as writer:
            writer.stage(frame, source_id=source_id, batch_id=uuid7())
            writer.commit()
        return source_id

    return into_ledger


def call(number: int, day: str = "2026-07-01", **fields: Any) -> dict[str, Any]:
    """A request to a model of a bought service, on the given day."""
    return {
        "record_id": f"call-{number}",
        "started_at": at(f"{day}T10:00:00"),
        "ended_at": at(f"{day}T10:00:05"),
        "team": "search",
        "stage": "inference",
        "hosting": "api",
        "provider": "openai",
        "model": "gpt-4o",
        "requests": 1,
        "input_tokens": 1000,
        "output_tokens": 200,
        **fields,
    }


def metered(number: int, kwh: float, day: str = "2026-07-01", **fields: Any) -> dict[str, Any]:
    """An hour of metered energy of an own node in Germany."""
    return {
        "record_id": f"meter-{number}",
        "started_at": at(f"{day}T10:00:00"),
        "ended_at": at(f"{day}T11:00:00"),
        "team": "vision",
        "stage": "training",
        "hosting": "owned",
        "zone": "DE",
        "evidence": "measured",
        "energy_kwh": kwh,
        "energy_boundary": "it",
        **fields,
    }


def at(text: str) -> datetime:
    """Read a UTC time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
