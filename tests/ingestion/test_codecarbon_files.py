"""CodeCarbon's files through the upload door: a run and its tasks are the same energy, and one of them counts."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from core.ledger.services import ensure_source, update_source
from core.organizations.tenancy import organization_scope
from ingestion import services
from tests.ingestion.sources.samples import PAYLOADS

pytestmark = [pytest.mark.usefixtures("committed_db", "woken")]

TASKS_KWH = 0.00010307948415453528  # of the recording, as its README says
RUN_KWH = 1.1e-4


@pytest.fixture
def deliver(client: Any, organization: Any, token: str) -> Any:
    """Upload a file; give its batch's id."""
    source = ensure_source(organization.id, "codecarbon_csv")
    update_source(organization_id=organization.id, source_id=source.id, settings={"max_age_days": 36500})

    def upload(name: str, content: bytes) -> str:
        form = {"file": SimpleUploadedFile(name, content), "source": "codecarbon_csv"}
        answer = client.post("/api/v1/imports", form, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 202, answer.content
        services.drain_inbox(organization.id)
        return str(answer.json()["batch"])

    return upload


def tasks() -> bytes:
    return (PAYLOADS / "codecarbon" / "tasks-3.3.2.csv").read_bytes()


def run_of_tasks() -> bytes:
    """Make the row that emissions.csv has of the run whose tasks were recorded."""
    run_id = next(csv.DictReader(io.StringIO(tasks().decode())))["run_id"]
    rows = list(csv.DictReader(io.StringIO((PAYLOADS / "codecarbon" / "emissions-3.3.2.csv").read_text())))
    row = rows[0] | {"run_id": run_id, "energy_consumed": str(RUN_KWH)}
    out = io.StringIO()
    writer = csv.DictWriter(out, list(row))
    writer.writeheader()
    writer.writerow(row)
    return out.getvalue().encode()


def energy_kwh(organization: Any) -> float:
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select sum(energy_pkwh) from ledger_cell")
        return float(cursor.fetchone()[0]) / 1e12


def test_tasks_replace_the_run_that_they_divide(deliver: Any, organization: Any) -> None:
    deliver("emissions.csv", run_of_tasks())
    assert energy_kwh(organization) == pytest.approx(RUN_KWH)

    deliver("emissions_x.csv", tasks())
    deliver("emissions_x.csv", tasks())

    assert energy_kwh(organization) == pytest.approx(TASKS_KWH)


def test_run_replaces_its_tasks_once_somebody_has_confirmed_it(deliver: Any, organization: Any, batch_of: Any) -> None:
    deliver("emissions_x.csv", tasks())

    batch = deliver("emissions.csv", run_of_tasks())
    assert "1 keys where the ledger holds 3" in batch_of(batch).held
    assert energy_kwh(organization) == pytest.approx(TASKS_KWH)
    services.confirm_held(organization.id, batch_of(batch).id)
    services.drain_inbox(organization.id)

    assert energy_kwh(organization) == pytest.approx(RUN_KWH)


def test_other_runs_are_left_alone(deliver: Any, organization: Any) -> None:
    deliver("emissions.csv", (PAYLOADS / "codecarbon" / "emissions-3.3.2.csv").read_bytes())
    before = energy_kwh(organization)

    deliver("emissions_x.csv", tasks())

    assert energy_kwh(organization) == pytest.approx(before + TASKS_KWH)
