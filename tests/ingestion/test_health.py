"""/healthz and /readyz name what is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from ingestion import services
from ingestion.models import Batch, Heartbeat

pytestmark = pytest.mark.usefixtures("committed_db")


def test_a_living_process_says_so(client: Client) -> None:
    assert client.get("/healthz").content == b"ok\n"


def test_ready_only_with_a_worker_that_beats(client: Client) -> None:
    Heartbeat.objects.all().delete()
    without = client.get("/readyz")
    services.beat("worker")
    beating = client.get("/readyz")
    Heartbeat.objects.update(beaten_at=datetime.now(UTC) - timedelta(minutes=5))
    silent = client.get("/readyz")

    assert (without.status_code, beating.status_code, silent.status_code) == (503, 200, 503)
    assert set(beating.json()["checks"].values()) == {"ok"}
    assert silent.json()["checks"]["worker"] != "ok"


def test_a_batch_that_waits_too_long_is_not_ready(client: Client, post: Any, organization: Any, record: Any) -> None:
    from core.organizations.tenancy import organization_scope

    services.beat("worker")
    post("/api/v1/activity", [record()])
    with organization_scope(organization.id):
        Batch.objects.update(received_at=datetime.now(UTC) - timedelta(hours=1))

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "waits" in answer.json()["checks"]["queue"]


def test_a_broker_that_is_away_is_named(client: Client, settings: Any) -> None:
    services.beat("worker")
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["checks"]["database"]) == (503, "ok")
    assert "cannot be reached" in answer.json()["checks"]["broker"]
