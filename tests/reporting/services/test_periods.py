"""Closing a period: four eyes, a checklist, and rows that nobody changes afterwards."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import jsonschema
import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

import reporting.disclosures
from core.accounting.figures import Filter
from core.accounting.selectors import disclosure_bridge, emissions
from core.accounting.services import expect
from core.ledger.selectors import sources
from core.organizations import services as people
from core.organizations.models import AuditEvent, Organization, Person
from core.organizations.tenancy import organization_scope
from reporting.inventories.locked import moved_t
from reporting.models import Inventory
from reporting.selectors.checklist import Finding
from reporting.selectors.inventories import chain_fault_of, document_of
from reporting.services import periods
from reporting.services.periods import PeriodError
from tests.closing import TODAY, close, opened, somebody, two_leads
from tests.deliver import deliver, metered

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

SCHEMA = json.loads((Path(reporting.disclosures.__file__).parent / "inventory.schema.json").read_text())


@pytest.fixture
def leads(organization):
    return two_leads(organization)


def handed_in(organization, person, period="2026-Q3", **accepted):
    inventory, reading = opened(organization, person, period)
    return periods.submit(
        organization=organization, inventory_id=inventory.id, reading=reading, person_id=person.pk, accepted=accepted
    )


def rows(organization):
    with organization_scope(organization.id):
        return list(Inventory.objects.order_by("sequence"))


def test_a_closed_period_is_the_booking_as_disclosed_to_the_last_digit(organization, leads):
    document = document_of(close(organization, leads))

    with organization_scope(organization.id):
        asked = Filter(date(2026, 7, 1), date(2026, 9, 30), booking="disclosed")
        (booked,) = emissions(organization.id, asked).rows["total_kg_co2e"]
        bridge, _entered = disclosure_bridge(organization.id, asked)
    # 1,000 kWh own and 200 kWh bought x 329.0 g (EEA, Germany 2023) = 394.8 kg; what stands upstream of them comes on top.
    totals = document["totals"]
    assert Decimal(totals["scope2_location"]) == Decimal("0.329")
    assert Decimal(totals["total_location"]) * 1000 == Decimal(repr(round(booked, 6)))
    assert Decimal(totals["total_location"]) * 10**12 == bridge.disclosed_nkg


def test_the_document_follows_its_schema_and_names_two_people(organization, leads):
    document = document_of(close(organization, leads))

    assert [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(document)] == []
    assert document["status"] == "approved"
    assert [(each["role"], each["who"], each["decision"]) for each in document["evidence"]["approvals"]] == [
        ("preparer", "Ada", "submitted"),
        ("approver", "Grace", "approved"),
    ]
    assert document["evidence"]["single_reviewer"] is False


def test_ones_own_draft_is_not_approved(organization, leads):
    inventory = handed_in(organization, leads[0])

    with pytest.raises(PeriodError, match="somebody else approves"):
        periods.approve(organization_id=organization.id, inventory_id=inventory.id, person_id=leads[0].pk)
    assert rows(organization)[0].state == "in_review"


def test_the_database_holds_to_four_eyes_by_itself(organization, leads):
    inventory = handed_in(organization, leads[0])

    for stolen in (
        {"approved_by_id": leads[0].pk},  # prepared and approved by one
        {"approved_by_id": leads[0].pk, "prepared_by_id": leads[1].pk},  # the preparer exchanged on the way
        {"approved_by_id": leads[0].pk, "single_reviewer": True},  # alone, which nobody declared
    ):
        assert refused(organization, inventory, state="approved", sequence=1, approved_at="2026-11-25T00:00Z", **stolen)
    assert rows(organization)[0].state == "in_review"


def refused(organization, inventory, **columns):
    """Update a row by direct SQL as the application's role; tell whether the database refuses."""
    assert settings.DATABASES["default"]["USER"] == "wattledger_app"
    sets = ", ".join(f"{name} = %s" for name in columns)
    with organization_scope(organization.id), connection.cursor() as cursor:
        try:
            with transaction.atomic():
                cursor.execute(
                    f"update reporting_inventory set {sets} where id = %s", [*columns.values(), inventory.id]
                )
                assert cursor.rowcount == 1
                return False
        except DatabaseError:
            return True


def test_direct_sql_changes_nothing_of_a_locked_row(organization, leads):
    inventory = close(organization, leads)

    for column, value in (
        ("document", inventory.document.replace("0.329", "0.328")),
        ("sha256", "0" * 64),
        ("previous_sha256", "0" * 64),
        ("approved_by_id", leads[0].pk),
        ("state", "soft_closed"),
        ("state", "in_review"),
        ("sequence", 7),
        ("organization_id", organization.id + 1),
        ("period", "2026-Q2"),
        ("accepted", '[{"item": "quarantine"}]'),
    ):
        assert refused(organization, inventory, **{column: value}), column
    for statement in ("delete from reporting_inventory", "truncate reporting_inventory"):
        with (
            organization_scope(organization.id),
            connection.cursor() as cursor,
            pytest.raises(DatabaseError),
            transaction.atomic(),
        ):
            cursor.execute(statement)
    (kept,) = rows(organization)
    assert (kept.document, kept.sha256, kept.state) == (inventory.document, inventory.sha256, "approved")


def test_nothing_begins_locked(organization, leads):
    inventory = close(organization, leads)

    with organization_scope(organization.id), pytest.raises(DatabaseError, match="begins at soft close"):
        Inventory.objects.create(
            organization_id=organization.id,
            period="2026-Q1",
            kind="quarter",
            from_day="2026-01-01",
            to_day="2026-03-31",
            state="approved",
            document=inventory.document,
            sha256=inventory.sha256,
            sequence=2,
            prepared_by=leads[0],
            approved_by=leads[1],
            approved_at="2026-11-25T00:00Z",
        )


def test_who_reviews_alone_says_so_in_the_document(organization):
    deliver(organization, [metered("own", 1000.0)])
    alone = somebody(organization, "ada")
    with pytest.raises(PeriodError, match="somebody else approves"):
        close(organization, (alone, alone))
    people.declare_single_reviewer(organization_id=organization.id)

    inventory = close(organization, (alone, alone))

    assert document_of(inventory)["evidence"]["single_reviewer"] is True
    assert inventory.single_reviewer


@pytest.mark.parametrize("role", ["auditor", "member", "admin", "team_lead", "procurement"])
def test_other_roles_neither_prepare_nor_approve(organization, leads, role):
    other = somebody(organization, "eve", role)

    with pytest.raises(PeriodError, match="that role may not"):
        close(organization, (other, leads[0]))
    with pytest.raises(PeriodError, match="that role may not"):
        close(organization, (leads[0], other))
    assert rows(organization) == []


def test_strangers_and_people_who_left_close_nothing(organization, other_organization, leads):
    stranger = somebody(other_organization, "mallory")
    with pytest.raises(PeriodError, match="active people"):
        close(organization, (leads[0], stranger))
    inventory = handed_in(organization, leads[0])
    Person.objects.filter(pk=leads[0].pk).update(is_active=False)
    with pytest.raises(PeriodError, match="not active any more"):
        periods.approve(organization_id=organization.id, inventory_id=inventory.id, person_id=leads[1].pk)


def test_open_items_are_named_and_accepted_by_name(organization, leads):
    deliver(organization, [metered("bad", 1.0) | {"energy_kwh": "much"}])

    with pytest.raises(PeriodError, match="open items: quarantine") as error:
        close(organization, leads)
    assert [each.item for each in error.value.findings] == ["quarantine"]
    assert rows(organization) == []

    inventory = close(organization, leads, quarantine="a test of the meter")

    (accepted,) = document_of(inventory)["evidence"]["change_log"]
    assert accepted["what"] == "accepted as it is: quarantine"
    assert accepted["reason"] == "a test of the meter"
    assert accepted["who"] == "Ada"


def test_rows_of_another_period_do_not_hold_one_up(organization, leads):
    later = {"started_at": "2026-10-15T10:00:00Z", "ended_at": "2026-10-15T11:00:00Z"}
    deliver(organization, [metered("bad", 1.0, **later) | {"energy_kwh": "much"}])

    assert close(organization, leads).state == "approved"


def test_days_that_were_expected_and_did_not_come_are_an_open_item(organization, leads):
    with organization_scope(organization.id):
        (agent,) = sources(organization.id)
    expect(organization_id=organization.id, kind="agent", source_id=agent.id, since=date(2026, 7, 14), reason="")

    with pytest.raises(PeriodError) as error:
        close(organization, leads)

    (finding,) = error.value.findings
    # From 14 July to 30 September are 79 days, of which one reported.
    assert (finding.item, finding.facts["days"], finding.facts["names"]) == ("coverage", 78, ["agent"])


def test_records_without_a_figure_are_an_open_item_though_others_of_their_model_have_one(organization, leads):
    tokens = {"evidence": "modelled", "energy_kwh": None, "energy_boundary": None, "output_tokens": 1000}
    known = metered("known", 5.0, model="no-such-model")
    deliver(organization, [known, {k: v for k, v in (known | tokens | {"record_id": "un"}).items() if v is not None}])

    with pytest.raises(PeriodError) as error:
        close(organization, leads)

    (finding,) = error.value.findings
    assert (finding.item, finding.facts) == ("unknown_models", {"records": 1, "names": ["no-such-model"]})


def test_an_item_that_there_is_not_is_refused(organization, leads):
    with pytest.raises(PeriodError, match="no everything"):
        close(organization, leads, everything="all is well")


def test_a_period_that_is_not_over_stays_open(organization, leads):
    with pytest.raises(PeriodError, match="2026-Q4 is not over"):
        close(organization, leads, period="2026-Q4")


def test_a_period_without_activity_is_refused_and_one_record_is_enough(organization, leads):
    with pytest.raises(reporting.disclosures.RefusedError, match="not the same as zero"):
        close(organization, leads, period="2026-Q1")
    once = {"started_at": "2026-02-01T10:00:00Z", "ended_at": "2026-02-01T11:00:00Z"}
    deliver(organization, [metered("one", 1e-9, **once)])

    document = document_of(close(organization, leads, period="2026-Q1"))

    # A microwatt-hour x 329 g/kWh is 3.29e-10 kg: below a milligram, which is said as 0, and the record is counted.
    assert document["totals"]["scope2_location"] == "0"
    assert document["evidence"]["record_count"] == 1


def test_the_chain_is_recomputed_by_hand(organization, leads):
    for number, month in enumerate(("2026-02", "2026-05")):
        at = {"started_at": f"{month}-01T10:00:00Z", "ended_at": f"{month}-01T11:00:00Z"}
        deliver(organization, [metered(f"r{number}", 10.0, **at)])
    for period in ("2026-Q1", "2026-Q2", "2026-Q3"):
        close(organization, leads, period=period)

    head = None
    for row in rows(organization):
        document = json.loads(row.document)
        said = document["evidence"].pop("sha256")
        plain = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert said == row.sha256 == hashlib.sha256(plain.encode()).hexdigest()
        assert document["evidence"]["previous_sha256"] == row.previous_sha256 == head
        head = said
    with organization_scope(organization.id):
        assert chain_fault_of(organization.id) is None


def test_the_chain_tells_of_a_row_that_the_owner_of_the_database_changed_or_removed(organization, leads, servers):
    at = {"started_at": "2026-05-01T10:00:00Z", "ended_at": "2026-05-01T11:00:00Z"}
    deliver(organization, [metered("r", 10.0, **at)])
    first, second = close(organization, leads, period="2026-Q2"), close(organization, leads)

    with psycopg.connect(servers.admin_url, autocommit=True) as admin:
        admin.execute("set session_replication_role = replica")  # no trigger fires: what only a superuser can do
        admin.execute(
            "update reporting_inventory set document = replace(document, '0.329', '0.328') where id = %s", [second.id]
        )
    with organization_scope(organization.id):
        assert chain_fault_of(organization.id).id == second.id
    with psycopg.connect(servers.admin_url, autocommit=True) as admin:
        admin.execute("set session_replication_role = replica")
        admin.execute("update reporting_inventory set document = %s where id = %s", [second.document, second.id])
        admin.execute("delete from reporting_inventory where id = %s", [first.id])
    with organization_scope(organization.id):
        assert "missing" in chain_fault_of(organization.id).why


def test_overlapping_periods_are_refused_and_a_year_holds_its_quarters(organization, leads):
    close(organization, leads)

    with pytest.raises(PeriodError, match="2026-Q3 is approved already"):
        close(organization, leads)
    people.update_organization(organization_id=organization.id, fiscal_year_start_month=2)
    shifted = Organization.objects.get(id=organization.id)
    with pytest.raises(PeriodError, match="FY2027-Q2 overlaps 2026-Q3"):  # May to July, across its first month
        opened(shifted, leads[0], "FY2027-Q2")
    assert close(organization, leads, period="2026-07").kind == "month"


def test_the_database_refuses_overlapping_periods_by_itself(organization, leads):
    inventory, _reading = opened(organization, leads[0])

    with organization_scope(organization.id), pytest.raises(DatabaseError, match="inventory_prepared_once"):
        Inventory.objects.create(
            organization_id=organization.id,
            period="2026-Q3",
            kind="quarter",
            from_day="2026-09-30",
            to_day="2026-12-31",
            document=inventory.document,
            sha256=inventory.sha256,
            prepared_by=leads[0],
        )


def test_what_came_since_the_soft_close_is_said_and_left_out_or_read_anew(organization, leads):
    inventory, _old = opened(organization, leads[0])
    deliver(organization, [metered("late", 100.0)])
    reading = periods.read_period(organization, "2026-Q3", today=TODAY)
    asked = {"organization": organization, "inventory_id": inventory.id, "person_id": leads[0].pk}

    with pytest.raises(PeriodError) as error:
        periods.submit(reading=reading, **asked)

    (finding,) = error.value.findings
    moved = moved_t(document_of(inventory), reading.document)
    assert finding == Finding("moved_since", True, {"t_co2e": str(moved)})
    assert moved > Decimal("0.0329")  # 100 kWh x 329 g, and what stands upstream
    periods.soft_close(organization=organization, reading=reading, person_id=leads[0].pk)
    assert periods.submit(reading=reading, **asked).state == "in_review"


def test_a_rejected_period_goes_back_with_its_note_and_an_open_one_is_gone(organization, leads):
    inventory = handed_in(organization, leads[0])
    both = {"organization_id": organization.id, "inventory_id": inventory.id}

    with pytest.raises(PeriodError, match="what is to be changed"):
        periods.reject(**both, person_id=leads[1].pk, note=" ")
    back = periods.reject(**both, person_id=leads[1].pk, note="The bill of August is missing.")
    assert (back.state, back.decisions[-1]["note"]) == ("soft_closed", "The bill of August is missing.")
    periods.reopen(**both, person_id=leads[0].pk, reason="The bill came.")

    assert rows(organization) == []
    with organization_scope(organization.id):
        assert AuditEvent.objects.order_by("-sequence").first().action == "reopen_period"


def test_a_locked_period_is_not_opened_again(organization, leads):
    inventory = close(organization, leads)
    both = {"organization_id": organization.id, "inventory_id": inventory.id}

    with pytest.raises(PeriodError, match="is approved"):
        periods.reopen(**both, person_id=leads[0].pk, reason="A mistake.")
    published = periods.publish(**both, person_id=leads[1].pk)
    assert published.state == "published"
    assert rows(organization)[0].document == inventory.document


def test_of_two_closings_at_once_one_counts(organization, leads):
    command = [
        *(sys.executable, "manage.py", "close_period", "--organization", organization.slug, "--period", "2026-Q3"),
        *("--prepared-by", leads[0].email, "--approved-by", leads[1].email),
    ]
    at_once = [
        subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _number in range(2)
    ]
    ended = [(each.communicate(timeout=120), each.returncode) for each in at_once]

    assert sorted(code for _texts, code in ended) == [0, 1], ended
    ((_out, error),) = [texts for texts, code in ended if code]
    assert "approved already" in error
    (row,) = rows(organization)
    ((out, _error),) = [texts for texts, code in ended if not code]
    assert out.strip() == str(row.id)


def test_the_command_ends_with_1_and_the_open_items_unless_they_are_accepted(organization, leads, capsys):
    deliver(organization, [metered("bad", 1.0) | {"energy_kwh": "much"}])
    asked = {
        "organization": organization.slug,
        "period": "2026-Q3",
        "prepared_by": leads[0].email,
        "approved_by": leads[1].email,
    }

    with pytest.raises(CommandError) as error:
        call_command("close_period", **asked)
    assert error.value.returncode == 1
    assert "quarantine: 1 row waits" in capsys.readouterr().err
    with pytest.raises(CommandError) as error:
        call_command("close_period", **asked, accept="whatever")
    assert error.value.returncode == 2

    call_command("close_period", **asked, accept="quarantine")

    assert capsys.readouterr().out.strip() == str(rows(organization)[0].id)


def test_another_organization_sees_no_inventory(organization, other_organization, leads):
    inventory = close(organization, leads)

    assert rows(other_organization) == []
    with pytest.raises(Inventory.DoesNotExist):
        periods.publish(
            organization_id=other_organization.id,
            inventory_id=inventory.id,
            person_id=somebody(other_organization, "mallory").pk,
        )
