"""Doors as their clients use them, on a database with real commits: workers and doors see each other's rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from core.organizations import services as organizations
from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope
from ingestion import selectors, services, wake


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The wake-ups that doors asked for, instead of messages to a broker."""
    calls: list[tuple[str, int]] = []
    monkeypatch.setattr(wake, "drain", lambda organization_id: calls.append(("drain", organization_id)))
    monkeypatch.setattr(wake, "derive", lambda organization_id: calls.append(("derive", organization_id)))
    monkeypatch.setattr(wake, "delete", lambda organization_id: calls.append(("delete", organization_id)))
    return calls


@pytest.fixture
def token(organization: Organization) -> str:
    """The secret of a token that may send, for team search."""
    return organizations.issue_token(
        organization_id=organization.id, name="agent", scopes=["ingest"], team="search", project="rag"
    )[1]


@pytest.fixture
def post(client: Client, token: str, woken: list[Any]) -> Callable[..., Any]:
    """POST to a door with the token: ``post("/api/v1/activity", body, **headers)``."""

    def send(path: str, body: Any, content_type: str = "application/json", secret: str = token, **headers: str) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {secret}", **{name.replace("_", "-"): text for name, text in headers.items()}}
        return client.post(path, raw, content_type=content_type, headers=sent)

    return send


@pytest.fixture
def drained(organization: Organization) -> Callable[[str | UUID], dict[str, Any]]:
    """Drain the inbox, then give a batch as its address shows it."""

    def drain(batch: str | UUID) -> dict[str, Any]:
        services.drain_inbox(organization.id)
        with organization_scope(organization.id):
            return selectors.batch_object(selectors.batches(organization.id).get(id=batch))

    return drain


@pytest.fixture
def record() -> Callable[..., dict[str, Any]]:
    """Valid canonical records with ids of their own; arguments replace fields."""
    return make_record


def make_record(record_id: str = "r1", **fields: Any) -> dict[str, Any]:
    """Make a valid canonical record of ten minutes ago."""
    ended = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    made: dict[str, Any] = {
        "record_id": record_id,
        "started_at": stamp(ended - timedelta(minutes=5)),
        "ended_at": stamp(ended),
        "stage": "inference",
        "hosting": "api",
        "evidence": "modelled",
        "provider": "openai",
        "model": "gpt-4o",
        "requests": 3,
        "input_tokens": 1200,
        "output_tokens": 300,
    }
    return made | fields


def stamp(moment: datetime) -> str:
    """Write a time in the `Z` form."""
    return moment.isoformat().replace("+00:00", "Z")


@pytest.fixture
def batch_of(organization: Organization) -> Callable[[str | UUID], Any]:
    """Give the row of a batch."""

    def find(batch: str | UUID) -> Any:
        with organization_scope(organization.id):
            return selectors.batches(organization.id).get(id=batch)

    return find
