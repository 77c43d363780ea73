"""Carbon exports through the upload door: months are restated, and the newest carbon model stands."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from core.ledger.services import ensure_source, update_source
from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope
from tests.ingestion.sources.samples import PAYLOADS

pytestmark = [pytest.mark.usefixtures("committed_db", "woken"), pytest.mark.slow]

VERTEX = json.loads((PAYLOADS / "gcp" / "carbon-footprint.jsonl").read_text().splitlines()[0])
ITEM = json.loads((PAYLOADS / "azure" / "carbon-item-details.json").read_text())

Deliver = Callable[..., dict[str, Any]]


def row(version: int, location_kg: float, **changes: Any) -> dict[str, Any]:
    """A row of October 2026 with a location-based total only."""
    total = {"location_based": location_kg, "market_based": None, "after_offsets": None}
    return {**VERTEX, "carbon_footprint_total_kgCO2e": total, "carbon_model_version": version, **changes}


def project(name: str) -> dict[str, Any]:
    return {"project": {"id": name, "number": name}}


def lines(*rows: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(each).encode() for each in rows)


@pytest.fixture
def deliver(token: str, drained: Callable[[str], dict[str, Any]]) -> Deliver:
    """Upload files as one delivery, import it, and give the batch."""

    def deliver(kind: str, *files: bytes) -> dict[str, Any]:
        uploads = [SimpleUploadedFile(f"part-{number}", content) for number, content in enumerate(files)]
        form = {"file": uploads, "source": kind}
        answer = Client().post("/api/v1/imports", form, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 202, answer.content
        return drained(answer.json()["batch"])

    return deliver


def kg_by_account(organization: Organization) -> dict[str, float]:
    """kg of the ledger by account; accounts that sum to nothing are left out."""
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(
            "select s.account, sum(r.reported_kg_co2e) from ledger_record r join ledger_series s"
            " on s.organization_id = r.organization_id and s.id = r.series_id where r.organization_id = %s"
            " group by 1 having abs(sum(r.reported_kg_co2e)) > 1e-9 order by 1",
            [organization.id],
        )
        return {account: round(kg, 9) for account, kg in cursor.fetchall()}


def test_same_export_twice_changes_nothing(organization: Organization, deliver: Deliver) -> None:
    export = (PAYLOADS / "gcp" / "carbon-footprint.jsonl").read_bytes()

    first, again = deliver("gcp_carbon", export), deliver("gcp_carbon", export)

    assert (first["counts"]["written"], again["counts"]["written"], again["counts"]["duplicate"]) == (6, 0, 6)


@pytest.mark.parametrize("order", list(itertools.permutations((12, 13, 14))))
def test_newest_model_version_stands_in_whatever_order_it_comes(
    order: tuple[int, ...], organization: Organization, deliver: Deliver
) -> None:
    of_version = {
        12: [row(12, 5.0), row(12, 1.0, **project("gone"))],
        13: [row(13, 4.0), row(13, 1.5, **project("gone"))],
        14: [row(14, 3.0), row(14, 2.0, **project("new"))],
    }

    for version in order:
        deliver("gcp_carbon", lines(*of_version[version]))

    assert kg_by_account(organization) == {"new": 2.0, "rag-prod-481516": 3.0}


@pytest.mark.parametrize("order", [1, -1])
def test_newest_model_version_of_one_delivery_stands(order: int, organization: Organization, deliver: Deliver) -> None:
    files = [lines(row(13, 5.0)), lines(row(14, 3.0), row(13, 5.0))][::order]

    batch = deliver("gcp_carbon", *files)

    assert kg_by_account(organization) == {"rag-prod-481516": 3.0}
    assert (batch["counts"]["received"], batch["counts"]["outside"]) == (3, 2)


def test_projects_may_come_apart(organization: Organization, deliver: Deliver) -> None:
    deliver("gcp_carbon", lines(row(14, 3.0, **project("a"))))
    deliver("gcp_carbon", lines(row(14, 2.0, **project("b"))))

    assert kg_by_account(organization) == {"a": 3.0, "b": 2.0}


def test_azure_needs_its_basis_and_takes_it_when_it_is_set(organization: Organization, deliver: Deliver) -> None:
    answer = json.dumps(ITEM).encode()

    refused = deliver("azure_carbon", answer)
    source = ensure_source(organization.id, "azure_carbon")
    update_source(
        organization_id=organization.id,
        source_id=source.id,
        settings={"reported_basis": "market", "month": "2026-10"},
    )
    taken = deliver("azure_carbon", answer)

    assert (refused["state"], taken["state"]) == ("failed", "done")
    assert "Set `reported_basis` of this source to location or market" in refused["log"][-1]
    assert kg_by_account(organization) == {ITEM["value"][0]["subscriptionId"]: 3.803143}


def test_item_that_left_azures_report_is_corrected_away(organization: Organization, deliver: Deliver) -> None:
    source = ensure_source(organization.id, "azure_carbon")
    setting = {"reported_basis": "market", "month": "2026-10"}
    update_source(organization_id=organization.id, source_id=source.id, settings=setting)
    items = [{**ITEM["value"][0], "resourceId": f"/{name}", "latestMonthEmissions": 1.0} for name in "abc"]

    deliver("azure_carbon", json.dumps({**ITEM, "value": items}).encode())
    deliver("azure_carbon", json.dumps({**ITEM, "value": items[1:]}).encode())

    assert kg_by_account(organization) == {items[0]["subscriptionId"]: 2.0}
