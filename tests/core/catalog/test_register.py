"""The register: sites, entries that are only ever added, and every fault told at once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import psycopg
import pytest
from django.db import ProgrammingError, connection, transaction

from core.catalog import selectors, services
from core.catalog.entries import UnreadableFile, rows_of_csv, template_csv
from core.factors.pack import load_pack
from core.organizations.models import AuditEvent
from core.organizations.tenancy import organization_scope

pytestmark = pytest.mark.django_db
TODAY = date(2026, 11, 25)
READING = {"site": "berlin", "kind": "meter_reading", "date": "2026-07", "facility_kwh": "120000", "it_kwh": "100000"}
READING = {**READING, "source": "meters 1 and 2"}


@pytest.fixture(scope="module")
def pack():
    return load_pack()


@pytest.fixture
def site(organization, pack):
    return services.add_site(
        organization_id=organization.id, slug="berlin", name="Berlin hall", country="DE", zone="de", pack=pack
    )


@pytest.fixture
def add(organization, site, pack):
    def into(*rows):
        return services.add_entries(organization_id=organization.id, rows=rows, pack=pack, today=TODAY)

    return into


def standing(organization):
    with organization_scope(organization.id):
        return list(selectors.standing_entries(organization.id))


def faults(add, *rows):
    with pytest.raises(services.RegisterRefused) as refused:
        add(*rows)
    return [(fault.row, fault.field, fault.reason) for fault in refused.value.faults]


def test_the_template_is_read_whole(add, organization):
    made = add(*rows_of_csv(template_csv().encode()))

    assert [entry.kind for entry in made] == [
        "meter_reading",
        "water",
        "on_site_generation",
        "heat_reused",
        "fuel",
        "refrigerant",
        "purchase",
        "retirement",
    ]
    stored = {entry.kind: entry for entry in standing(organization)}
    assert stored["meter_reading"].facility_kwh == Decimal(120000)
    assert stored["meter_reading"].day == date(2026, 7, 1)
    assert (stored["refrigerant"].gas, stored["refrigerant"].gas_kg) == ("HFC-134a", Decimal("2.5"))
    assert stored["retirement"].mass_kg == Decimal(320)
    assert stored["fuel"].it_kwh is None  # absent is not zero


def test_a_site_is_told_and_changed_under_audit(organization, site, pack):
    services.change_site(organization_id=organization.id, slug="berlin", operational_control=False, pack=pack)

    with organization_scope(organization.id):
        assert selectors.site_of(organization.id, "berlin").zone == "DE"
        event = AuditEvent.objects.filter(organization_id=organization.id).latest("sequence")
    assert (event.action, event.before["operational_control"], event.after["operational_control"]) == (
        "change_site",
        True,
        False,
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"slug": "Berlin Hall"}, "slug"),
        ({"slug": "berlin"}, "slug"),
        ({"country": "Germany"}, "country"),
        ({"zone": "ATLANTIS"}, "zone"),
        ({"kind": "castle"}, "kind"),
        ({"name": " "}, "name"),
    ],
)
def test_a_site_that_cannot_be_is_refused(organization, site, pack, change, field):
    given = {"slug": "munich", "name": "Munich", "country": "DE", "zone": "DE"} | change

    with pytest.raises(services.SiteError) as refused:
        services.add_site(organization_id=organization.id, pack=pack, **given)
    assert refused.value.field == field


def test_entries_are_audited(add, organization):
    (entry,) = add(READING)

    with organization_scope(organization.id):
        event = AuditEvent.objects.filter(organization_id=organization.id).latest("sequence")
    assert event.action == "add_register_entries"
    assert event.after["entries"][0] == {
        "id": entry.id,
        "site": "berlin",
        "kind": "meter_reading",
        "date": "2026-07-01",
        "facility_kwh": "120000",
        "it_kwh": "100000",
        "source": "meters 1 and 2",
    }


def test_a_correction_replaces_and_both_are_kept(add, organization):
    (first,) = add(READING)
    (second,) = add({**READING, "facility_kwh": "130000", "replaces": first.id})

    (stands,) = standing(organization)
    assert (stands.id, stands.facility_kwh) == (second.id, Decimal(130000))
    with organization_scope(organization.id):
        assert [entry.replaced for entry in selectors.all_entries(organization.id)] == [False, True]


def test_a_withdrawal_leaves_nothing_and_the_month_is_free_again(add, organization):
    (first,) = add(READING)
    add({"site": "berlin", "kind": "withdrawal", "date": "2026-07-01", "source": "wrong hall", "replaces": first.id})

    assert standing(organization) == []
    add(READING)
    assert len(standing(organization)) == 1


@pytest.mark.parametrize(
    "statement", ["update catalog_registerentry set it_kwh = 1", "delete from catalog_registerentry"]
)
def test_the_application_may_not_change_an_entry(add, organization, statement):
    add(READING)

    with (
        organization_scope(organization.id),
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_nobody_else_may_either(django_db_setup, servers):
    with psycopg.connect(servers.owner_url) as owner:
        found = owner.execute(
            "select tgname from pg_trigger where tgrelid = 'catalog_registerentry'::regclass and tgenabled = 'O'"
            " and tgfoid = 'wattledger_append_only'::regproc"
        ).fetchall()

    assert found == [("append_only",)]


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"site": "atlantis"}, "site", "known sites are berlin"),
        ({"kind": "guess"}, "kind", "use one of meter_reading"),
        ({"date": "2026-12"}, "date", "lies in the future"),
        ({"date": "2026-07-15"}, "date", "give 2026-07"),
        ({"date": "July"}, "date", "a month such as 2026-07"),
        ({"date": "1066-01"}, "date", "check the year"),
        ({"facility_kwh": "99999"}, "it_kwh", "PUE below 1"),
        ({"facility_kwh": "-5"}, "facility_kwh", "0 or more"),
        ({"facility_kwh": "nan"}, "facility_kwh", "0 or more"),
        ({"facility_kwh": "1,200"}, "facility_kwh", "no thousands separators"),
        ({"facility_kwh": "1e15"}, "facility_kwh", "check its unit"),
        ({"facility_kwh": "120000.0000001"}, "facility_kwh", "round it"),
        ({"facility_kwh": ""}, "facility_kwh", "missing"),
        ({"it_kwh": "0"}, "it_kwh", "leave it empty"),
        ({"water_l": "5"}, "water_l", "has no water_l"),
        ({"colour": "blue"}, "colour", "no such column"),
        ({"source": " "}, "source", "where the figure comes from"),
        ({"replaces": "77"}, "replaces", "No entry 77 stands"),
        ({"replaces": "x"}, "replaces", "number of the entry"),
        ({"kind": "withdrawal", "facility_kwh": "", "it_kwh": "", "date": "2026-07-01"}, "replaces", "names the entry"),
        ({"date": ""}, "date", "missing"),
    ],
)
def test_bad_input_is_refused_with_what_to_do(add, organization, change, field, reason):
    found = faults(add, {**READING, **change})

    assert [(row, name) for row, name, _ in found] == [(1, field)]
    assert reason in found[0][2]
    assert standing(organization) == []


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ({"kind": "fuel", "fuel": "coal", "fuel_kg": "1"}, "fuel", "use one of diesel"),
        ({"kind": "fuel", "fuel": "diesel", "fuel_kg": "1"}, "fuel_kg", "use fuel_l"),
        ({"kind": "fuel", "fuel": "diesel", "fuel_l": "0"}, "fuel_l", "no entry"),
        ({"kind": "fuel", "fuel": "diesel"}, "fuel", "once, in fuel_l"),
        (
            {"kind": "fuel", "fuel": "natural_gas", "fuel_m3": "1", "fuel_kwh": "11"},
            "fuel",
            "once, in fuel_m3 or fuel_kwh",
        ),
        ({"kind": "refrigerant", "gas": "phlogiston", "gas_kg": "1"}, "gas", "such as R-134a"),
        ({"kind": "purchase", "hardware": "abacus", "count": "8"}, "hardware", "hardware table"),
        ({"kind": "purchase", "hardware": "NVIDIA H100", "count": "1.5"}, "count", "whole number"),
        (
            {"kind": "retirement", "hardware": "NVIDIA V100", "count": "1", "mass_kg": "20", "treatment": "magic"},
            "treatment",
            "use one of reuse",
        ),
    ],
)
def test_names_without_a_factor_are_refused(add, organization, row, field, reason):
    ((number, name, said),) = faults(add, {"site": "berlin", "date": "2026-07-14", "source": "invoice", **row})

    assert (number, name) == (1, field)
    assert reason in said


def test_all_or_nothing_and_every_fault_of_every_row(add, organization):
    found = faults(
        add,
        READING,
        {**READING, "date": "2026-08", "site": "atlantis", "facility_kwh": "-1"},
        {**READING, "facility_kwh": "5", "it_kwh": "4"},
    )

    assert [(row, field) for row, field, _ in found] == [(2, "site"), (2, "facility_kwh"), (3, "date")]
    assert "row 1" in found[2][2]
    assert standing(organization) == []


def test_the_same_reading_twice_names_the_one_to_correct(add, organization):
    (first,) = add(READING)

    ((_, field, reason),) = faults(add, READING)

    assert field == "date"
    assert f"put {first.id} into replaces" in reason


def test_an_entry_is_replaced_once(add, organization):
    (first,) = add(READING)
    add({**READING, "replaces": first.id})

    assert faults(add, {**READING, "replaces": first.id})[0][1] == "replaces"
    (again,) = standing(organization)
    found = faults(add, {**READING, "replaces": again.id}, {**READING, "replaces": again.id})
    assert "Row 1 replaces" in found[0][2]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe", "UTF-8"),
        (b"site,kind\n", "needs the columns"),
        (b"site,kind,date,source,colour\n", "Unknown columns: colour"),
        (b"site,kind,date,source\n", "no row"),
        (b"", "needs the columns"),
    ],
)
def test_a_file_that_is_no_template_is_refused(content, reason):
    with pytest.raises(UnreadableFile, match=reason):
        rows_of_csv(content)


def test_a_spreadsheet_s_semicolons_are_read():
    (row,) = rows_of_csv(b"\xef\xbb\xbfsite;kind;date;source\r\nberlin;water;2026-07;bill\r\n")

    assert row == {"site": "berlin", "kind": "water", "date": "2026-07", "source": "bill"}


def test_another_organization_sees_none_of_it(add, organization, other_organization, pack):
    (entry,) = add(READING)

    with organization_scope(other_organization.id):
        assert list(selectors.sites(organization.id)) == []
        assert list(selectors.standing_entries(organization.id)) == []
    services.add_site(
        organization_id=other_organization.id, slug="berlin", name="Theirs", country="DE", zone="DE", pack=pack
    )
    with pytest.raises(services.RegisterRefused, match=f"No entry {entry.id} stands"):
        services.add_entries(
            organization_id=other_organization.id, rows=[{**READING, "replaces": entry.id}], pack=pack, today=TODAY
        )
