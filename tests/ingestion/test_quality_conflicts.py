"""Conflicting duplicates: both contents side by side, the later one taken as a correction, and that taken back."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from core.ledger.models import Source
from core.organizations.models import AuditEvent
from core.organizations.tenancy import organization_scope
from ingestion import conflicts, selectors, services
from tests.ingestion.test_quality_fix import old, open_rows, send, signed_in, source

__all__ = ["signed_in", "source"]

pytestmark = pytest.mark.usefixtures("committed_db", "woken")

REASON = conflicts.REASON


def energy(organization: Any) -> tuple[float, float]:
    """Sum the energy of the ledger and of its cells: two ways to the same figure. [kWh]"""
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select coalesce(sum(energy_kwh), 0) from ledger_record")
        (of_records,) = cursor.fetchone()
        cursor.execute("select coalesce(sum(energy_pkwh), 0), coalesce(sum(records), 0) from ledger_cell")
        of_cells, _records = cursor.fetchone()
    return float(of_records), float(of_cells) / 1e12


def record_count(organization: Any) -> int:
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select sum(records) from ledger_cell")
        return int(cursor.fetchone()[0])


@pytest.fixture
def address(source: Source) -> str:
    return f"/quality/{source.id}/conflicts/"


def conflicting(organization: Any, source: Source) -> None:
    """Send 10 kWh, and 4 kWh under the same id later."""
    first = old("a", 1, 10.0)
    send(organization, source, first)
    send(organization, source, first | {"energy_kwh": 4.0, "project": "search"})


def row_of(organization: Any) -> int:
    with organization_scope(organization.id):
        return selectors.quarantine(organization.id, reason=REASON).get().id


def test_both_contents_are_shown_with_what_differs(
    signed_in: Client, organization: Any, source: Source, address: str
) -> None:
    conflicting(organization, source)
    assert address in signed_in.get("/quality/").content.decode()

    page = signed_in.get(address)

    (entry,) = page.context["conflicts"]
    found = [(each.name, each.standing, each.newer) for each in entry["conflict"].differences]
    assert found == [("energy_kwh", 10.0, 4.0), ("project", None, "search")]
    # 6 kWh less in Germany, 0.329 kg/kWh by EEA's value of 2023; what is upstream comes on top
    assert -6 * 0.329 * 1.5 < page.context["change_kg"] <= -6 * 0.329


def test_the_later_content_is_taken_as_a_correction_and_counts_once(
    signed_in: Client, organization: Any, source: Source, address: str
) -> None:
    conflicting(organization, source)
    row = row_of(organization)

    refused = signed_in.post(address, {"row": row, "verdict": "take", "why": ""})
    signed_in.post(address, {"row": row, "verdict": "take", "why": "the meter was read twice"})

    assert refused.status_code == 400
    assert energy(organization) == (4.0, 4.0)
    assert record_count(organization) == 1
    assert open_rows(organization, REASON) == 0
    with organization_scope(organization.id):
        event = AuditEvent.objects.get(action="take_newer_content")
        standing = conflicts.standing_of(organization.id, source.id, "a").record()
    assert (event.reason, event.after["record_ids"]) == ("the meter was read twice", ["a"])
    assert (standing["energy_kwh"], standing["project"]) == (4.0, "search")


def test_a_correction_is_taken_back_and_can_be_taken_again(
    signed_in: Client, organization: Any, source: Source, address: str
) -> None:
    conflicting(organization, source)
    row = row_of(organization)
    signed_in.post(address, {"row": row, "verdict": "take", "why": "right"})

    signed_in.post(f"{address}{row}/back/", {"why": "wrong after all"})
    again = energy(organization), open_rows(organization, REASON)
    signed_in.post(address, {"row": row, "verdict": "take", "why": "right"})

    assert again == ((10.0, 10.0), 1)
    assert energy(organization) == (4.0, 4.0)
    assert record_count(organization) == 1


def test_a_content_sent_again_since_it_was_taken_waits_once_when_it_is_taken_back(
    signed_in: Client, organization: Any, source: Source, address: str
) -> None:
    first = old("a", 1, 10.0)
    send(organization, source, first)
    send(organization, source, first | {"energy_kwh": 4.0})
    row = row_of(organization)
    signed_in.post(address, {"row": row, "verdict": "take", "why": "right"})
    send(organization, source, first | {"energy_kwh": 4.0})
    waiting = open_rows(organization, REASON)

    answer = signed_in.post(f"{address}{row}/back/", {"why": "wrong after all"})

    assert (waiting, answer.status_code) == (1, 302)
    assert energy(organization) == (10.0, 10.0)
    with organization_scope(organization.id):
        assert [each.times_sent for each in selectors.quarantine(organization.id, reason=REASON)] == [2]


def test_of_several_later_contents_the_latest_is_taken(
    signed_in: Client, organization: Any, source: Source, address: str
) -> None:
    conflicting(organization, source)
    moved = old("a", 2, 7.0)  # it starts a day earlier, too
    send(organization, source, moved)

    signed_in.post(address, {"which": "all", "verdict": "take", "why": "corrected by the sender"})
    after_all = energy(organization)
    send(organization, source, old("a", 3, 3.0))
    signed_in.post(address, {"which": "all", "verdict": "take", "why": "once more"})

    assert after_all == (7.0, 7.0)
    assert energy(organization) == (3.0, 3.0)
    assert record_count(organization) == 1


def test_the_first_content_is_kept(signed_in: Client, organization: Any, source: Source, address: str) -> None:
    conflicting(organization, source)

    nothing = signed_in.post(address, {"verdict": "keep", "why": "a mistake"})
    signed_in.post(address, {"row": row_of(organization), "verdict": "keep", "why": "a mistake"})

    assert nothing.status_code == 400
    assert energy(organization) == (10.0, 10.0)
    assert open_rows(organization, REASON) == 0
    with organization_scope(organization.id):
        assert AuditEvent.objects.get(action="discard_quarantine").reason == "a mistake"


def test_a_correction_is_taken_back_only_with_a_reason_and_by_whom_it_concerns(
    signed_in: Client, organization: Any, source: Source, address: str
) -> None:
    conflicting(organization, source)
    row = row_of(organization)

    with pytest.raises(services.ResolveError, match="no such correction"):
        services.take_back(organization.id, source_id=source.id, row_id=row, why="x")
    with pytest.raises(services.ResolveError, match="Say why"):
        services.take_back(organization.id, source_id=source.id, row_id=row, why=" ")
    assert signed_in.get("/quality/999999/conflicts/").status_code == 404
