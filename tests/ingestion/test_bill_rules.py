"""The page of an organization's own rules for bills: added, moved, ended, tried on the latest delivery, in and out as CSV."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from core.ledger.models import Source
from core.ledger.services import ensure_source
from core.organizations import services as organizations
from core.organizations.models import AuditEvent, Role
from core.organizations.tenancy import organization_scope
from tests.ingestion.sources.bills import MACHINE, STORAGE, TOKENS
from tests.ingestion.test_quality_fix import deliver, signed_in

__all__ = ["signed_in"]

pytestmark = pytest.mark.usefixtures("committed_db", "woken")

OURS = {
    "rule": "our-index",
    "service": "simple storage",
    "classification": "ai",
    "measure": "cost",
    "stage": "inference",
    "hosting": "cloud",
    "reason": "the index of our assistant",
}


@pytest.fixture
def bill(organization: Any) -> Source:
    """A bill with a token meter, a machine with GPUs and storage, each once."""
    return deliver(organization, TOKENS, MACHINE, STORAGE | {"ServiceName": "Simple Storage Service"})


def rules_of(organization: Any, bill: Source) -> list[dict[str, Any]]:
    with organization_scope(organization.id):
        return Source.objects.get(id=bill.id).settings.get("service_rules", [])


def test_a_rule_shows_its_effect_before_it_is_saved(signed_in: Client, organization: Any, bill: Source) -> None:
    address = f"/settings/bill-rules/{bill.id}/add/"

    tried = signed_in.post(address, OURS | {"verdict": "try"})
    unsaved = rules_of(organization, bill)
    signed_in.post(address, OURS | {"verdict": "save"})

    assert unsaved == []
    preview = tried.context["preview"]
    assert (preview.rows, preview.changed, tried.context["decides"]) == (3, 1, 1)
    (line,) = tried.context["moved"]
    assert line["after"] == "ai: cost, inference, cloud"
    assert line["rows"] == 1
    assert line["cost"] == [("EUR", float(STORAGE["EffectiveCost"]))]
    (rule,) = rules_of(organization, bill)
    assert (rule["rule"], rule["class"]) == ("our-index", "ai")
    with organization_scope(organization.id):
        assert AuditEvent.objects.get(action="update_source").reason == "the index of our assistant"


def test_a_rule_of_no_use_is_refused_at_its_field(signed_in: Client, organization: Any, bill: Source) -> None:
    address = f"/settings/bill-rules/{bill.id}/add/"

    bad = signed_in.post(address, OURS | {"service": "(", "verdict": "save"})
    matching_everything = signed_in.post(address, OURS | {"service": "", "verdict": "save"})
    no_measure = signed_in.post(address, OURS | {"measure": "", "verdict": "save"})

    assert [each.status_code for each in (bad, matching_everything, no_measure)] == [400] * 3
    assert "RE2" in bad.context["form"].errors["service"][0]
    assert "every row" in matching_everything.context["form"].errors["service"][0]
    assert "measure" in no_measure.context["form"].errors
    assert rules_of(organization, bill) == []


def test_rules_are_edited_moved_and_ended(signed_in: Client, organization: Any, bill: Source) -> None:
    for name in ("one", "two"):
        signed_in.post(f"/settings/bill-rules/{bill.id}/add/", OURS | {"rule": name, "verdict": "save"})
    change = f"/settings/bill-rules/{bill.id}/change/"

    signed_in.post(f"/settings/bill-rules/{bill.id}/edit/two/", OURS | {"rule": "2nd", "verdict": "save"})
    signed_in.post(change, {"rule": "2nd", "verdict": "up"})
    moved = [rule["rule"] for rule in rules_of(organization, bill)]
    signed_in.post(change, {"rule": "one", "verdict": "end"})
    signed_in.post(change, {"rule": "gone", "verdict": "end"})

    assert moved == ["2nd", "one"]
    assert [rule["rule"] for rule in rules_of(organization, bill)] == ["2nd"]
    assert signed_in.get(f"/settings/bill-rules/{bill.id}/edit/gone/").status_code == 404


def test_rules_go_out_and_come_in_as_csv(signed_in: Client, organization: Any, bill: Source) -> None:
    signed_in.post(f"/settings/bill-rules/{bill.id}/add/", OURS | {"meter": "-vector", "verdict": "save"})
    before = rules_of(organization, bill)
    text = signed_in.get(f"/settings/bill-rules/{bill.id}/rules.csv").content
    address = f"/settings/bill-rules/{bill.id}/import/"
    signed_in.post(f"/settings/bill-rules/{bill.id}/change/", {"rule": "our-index", "verdict": "end"})

    tried = signed_in.post(address, {"file": SimpleUploadedFile("rules.csv", text), "verdict": "try"})
    unsaved = rules_of(organization, bill)
    signed_in.post(address, {"text": tried.context["import_text"], "verdict": "save"})
    wrong = signed_in.post(address, {"text": "rule,class\nx,nothing\n", "verdict": "save"})

    assert tried.context["imported"] == 1
    assert unsaved == []
    assert rules_of(organization, bill) == before
    assert b"'-vector" in text
    assert wrong.status_code == 400
    assert "is none of" in wrong.context["import_error"]


def test_the_page_lists_own_rules_before_the_shipped(signed_in: Client, organization: Any, bill: Source) -> None:
    signed_in.post(f"/settings/bill-rules/{bill.id}/add/", OURS | {"verdict": "save"})

    page = signed_in.get("/settings/bill-rules/").content.decode()

    assert page.index("our-index") < page.index("bedrock-model-units")
    assert "/settings/bill-rules/" in signed_in.get("/settings/").content.decode()


def test_who_only_reads_changes_no_rule(client: Client, organization: Any, person: Any) -> None:
    bill = ensure_source(organization.id, "focus")
    organizations.add_member(organization_id=organization.id, person=person, role=Role.AUDITOR)
    client.force_login(person)

    assert "Add a rule" not in client.get("/settings/bill-rules/").content.decode()
    assert client.post(f"/settings/bill-rules/{bill.id}/add/", OURS | {"verdict": "save"}).status_code == 403
    assert client.post(f"/settings/bill-rules/{bill.id}/change/", {"rule": "x", "verdict": "end"}).status_code == 403
