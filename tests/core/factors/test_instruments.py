"""The ledger of contractual instruments: what is refused, what is kept, and that a certificate counts once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from core.factors import instrument_services as services
from core.factors.instrument_selectors import held_instruments, markets_of, volumes_by_hour
from core.factors.models import CertificateClaim, ContractualInstrument, InstrumentHours
from core.organizations.models import AuditEvent
from core.organizations.tenancy import organization_scope
from core.quantification.instrument_entry import EntryError

TODAY = date(2026, 11, 25)
COUNTRIES = {"DE": "DE", "FR": "FR", "CN": "CN"}
GO = {
    "type": "certificate",
    "kind": "GO",
    "energy_kwh": "2000",
    "intensity_g_per_kwh": "0",
    "market": "AIB",
    "vintage": "2026",
    "carbon_free": "yes",
    "technology": "wind",
}
RETIRED = {"retired_on": "2026-11-01", "registry": "UBA", "serial_first": "GO-100", "serial_last": "GO-101"}
PPA = {**GO, "type": "contract", "kind": "PPA", "reference": "PPA-7", "bought_kwh": "10000", "energy_kwh": "6000"}


def add(organization, *given, **about):
    return services.add_instruments(
        organization_id=organization.id, given=list(given), today=TODAY, countries=COUNTRIES, **about
    )


def kept(organization):
    with organization_scope(organization.id):
        return list(ContractualInstrument.objects.order_by("id"))


def test_what_was_entered_is_kept(organization):
    (made,) = add(organization, {**GO, **RETIRED, "pool": "site:fra-1", "document": "invoice 12"})

    with organization_scope(organization.id):
        (held,) = held_instruments(organization.id, COUNTRIES)
    assert held.facts == made
    assert (made.energy_kwh, made.vintage_start, made.vintage_end) == (
        Decimal(2000),
        date(2026, 1, 1),
        date(2027, 1, 1),
    )
    assert held.market == "AIB"
    assert held.retired is not None
    assert (held.retired.serial_first, held.retired.serial_last) == ("GO-100", "GO-101")
    with organization_scope(organization.id):
        assert AuditEvent.objects.filter(action="add_instrument", object_id=str(made.id)).count() == 1


@pytest.mark.parametrize(
    ("changed", "field", "why"),
    [
        ({"intensity_g_per_kwh": "-1"}, "intensity_g_per_kwh", "between 0 and"),
        ({"intensity_g_per_kwh": "nan"}, "intensity_g_per_kwh", "between 0 and"),
        ({"intensity_g_per_kwh": "250000"}, "intensity_g_per_kwh", "between 0 and"),
        ({"intensity_g_per_kwh": ""}, "intensity_g_per_kwh", "between 0 and"),
        ({"energy_kwh": "0"}, "energy_kwh", "more than 0 kWh"),
        ({"energy_kwh": "-5"}, "energy_kwh", "more than 0 kWh"),
        ({"energy_kwh": "much"}, "energy_kwh", "in kWh"),
        ({"energy_kwh": "0.0001"}, "energy_kwh", "three decimals"),
        ({"vintage": "2027"}, "vintage", "in the future"),
        ({"vintage": "2026-12"}, "vintage", "in the future"),
        ({"vintage": "2025-07-01/2026-06-30"}, "vintage", "split the volume"),
        ({"vintage": "2026-03-01/2026-02-01"}, "vintage", "before the first"),
        ({"vintage": "lately"}, "vintage", "Name a year"),
        ({"market": "Atlantis"}, "market", "no market"),
        ({"market": ""}, "market", "no market"),
        ({"type": "offset"}, "type", "certificate, contract"),
        ({"technology": ""}, "technology", "names its technology"),
        ({"carbon_free": "perhaps"}, "carbon_free", "yes or no"),
        ({"pool": "person:ada"}, "pool", "site, project, team, hosting"),
        ({"pool": "hosting:cloud"}, "pool", "owned and colocated"),
        ({"bought_kwh": "1999", "reference": "D-1"}, "energy_kwh", "More is used than was bought"),
        ({"bought_kwh": "9000"}, "reference", "give its number"),
        ({"colour": "green"}, "colour", "no such field"),
        ({**RETIRED, "serial_last": "GO-100"}, "energy_kwh", "more is used than was bought"),
        ({**RETIRED, "retired_on": "2026-12-01"}, "retired_on", "in the future"),
        ({**RETIRED, "retired_on": "2025-12-31"}, "retired_on", "before they are generated"),
        ({**RETIRED, "retired_on": ""}, "retired_on", "give the day"),
        ({**RETIRED, "registry": ""}, "serial_first", "registry"),
        ({**RETIRED, "serial_first": "x"}, "serial_first", "ends in digits"),
        ({**RETIRED, "type": "contract"}, "retired_on", "Only certificates"),
        ({"document": ["a", "list"]}, "document", "no text"),
    ],
)
def test_bad_entries_are_refused_with_the_field_and_the_reason(organization, changed, field, why):
    with pytest.raises(EntryError) as refused:
        add(organization, {**GO, **changed})

    assert field in {fault.field for fault in refused.value.faults}
    assert why in str(refused.value)
    assert kept(organization) == []


def test_all_or_none_and_every_fault_with_its_row(organization):
    with pytest.raises(EntryError) as refused:
        add(organization, GO, {**GO, "energy_kwh": "-1", "market": "Atlantis"}, {**GO, "vintage": "2030"})

    assert [(fault.row, fault.field) for fault in refused.value.faults] == [
        (2, "energy_kwh"),
        (2, "market"),
        (3, "vintage"),
    ]
    assert kept(organization) == []


def test_a_certificate_is_claimed_once_by_anybody(organization, other_organization):
    add(organization, {**GO, **RETIRED})
    overlapping = {**GO, **RETIRED, "serial_first": "GO-101", "serial_last": "GO-150", "registry": " uba "}

    for claimant in (organization, other_organization):
        with pytest.raises(EntryError, match="claimed already"):
            add(claimant, overlapping)

    assert kept(other_organization) == []
    add(other_organization, {**overlapping, "serial_first": "GO-102"})


@pytest.mark.parametrize(
    ("registry", "says"),
    [("uba (HKNR)", "claimed already"), ("Herkunftsnachweisregister", "the same numbers of UBA")],
)
def test_a_registry_spelled_otherwise_does_not_make_another_certificate(organization, registry, says):
    add(organization, {**GO, **RETIRED})

    with pytest.raises(EntryError, match=says):
        add(organization, {**GO, **RETIRED, "registry": registry})


def test_numbers_of_another_series_are_other_certificates(organization):
    add(organization, {**GO, **RETIRED})

    add(organization, {**GO, **RETIRED, "registry": "M-RETS", "serial_first": "US-100", "serial_last": "US-101"})

    assert len(kept(organization)) == 2


def test_two_rows_of_one_file_cannot_claim_the_same_certificate(organization):
    with pytest.raises(EntryError, match="Row 2, serial_first: One of these certificates is claimed already"):
        add(organization, {**GO, **RETIRED}, {**GO, **RETIRED})


def test_withdrawn_certificates_are_free_again(organization):
    (made,) = add(organization, {**GO, **RETIRED})

    services.withdraw_instrument(organization_id=organization.id, instrument_id=made.id, reason="typed twice")

    assert CertificateClaim.objects.count() == 0
    add(organization, {**GO, **RETIRED})
    with pytest.raises(services.InstrumentError, match="withdrawn already"):
        services.withdraw_instrument(organization_id=organization.id, instrument_id=made.id, reason="again")
    with pytest.raises(services.InstrumentError, match="Say why"):
        services.withdraw_instrument(organization_id=organization.id, instrument_id=made.id, reason=" ")


def test_a_correction_stands_for_the_one_it_corrects(organization):
    (wrong,) = add(organization, {**GO, **RETIRED})

    (right,) = add(organization, {**GO, **RETIRED, "energy_kwh": "1500"}, corrects_id=wrong.id)

    with organization_scope(organization.id):
        both = held_instruments(organization.id, COUNTRIES, withdrawn=True)
    assert [(each.facts.id, each.withdrawn is not None, each.corrected_by) for each in both] == [
        (wrong.id, True, right.id),
        (right.id, False, None),
    ]


def test_a_correction_that_is_refused_withdraws_nothing(organization):
    (made,) = add(organization, GO)

    with pytest.raises(EntryError):
        add(organization, {**GO, "energy_kwh": "0"}, corrects_id=made.id)

    with organization_scope(organization.id):
        assert [each.facts.id for each in held_instruments(organization.id, COUNTRIES)] == [made.id]


def test_parts_of_a_contract_never_exceed_what_was_bought(organization):
    add(organization, PPA)

    with pytest.raises(EntryError, match=r"used for 12,000\.000 kWh of 10,000 kWh"):
        add(organization, {**PPA, "pool": "site:b"})
    with pytest.raises(EntryError, match="another bought volume"):
        add(organization, {**PPA, "energy_kwh": "1000", "bought_kwh": "20000"})

    add(organization, {**PPA, "pool": "site:b", "energy_kwh": "4000"})
    add(organization, {**PPA, "vintage": "2025"})  # another year's delivery


def test_a_contract_without_a_bought_volume_is_entered_once_a_year(organization):
    plain = {**PPA, "bought_kwh": ""}
    add(organization, plain)

    with pytest.raises(EntryError, match="entered for 2026 already"):
        add(organization, plain)


def test_retiring_later_and_only_once(organization):
    (made,) = add(organization, GO)
    retire = {"organization_id": organization.id, "instrument_id": made.id, "today": TODAY}

    with pytest.raises(EntryError, match="more is used than was bought"):
        services.retire_instrument(**retire, **{**RETIRED, "serial_last": "GO-100"})
    services.retire_instrument(**retire, **RETIRED)
    with pytest.raises(services.InstrumentError, match="retired already"):
        services.retire_instrument(**retire, **RETIRED)


def test_hours_are_kept_and_what_is_missing_is_unmatched(organization):
    (made,) = add(organization, GO)

    services.add_hours(
        organization_id=organization.id,
        instrument_id=made.id,
        rows=[
            ("2026-07-01T10:00:00Z", "5"),
            ("2026-07-01T10:30:00Z", "2.5"),  # half-hours are added up
            ("2026-07-01T14:00:00+02:00", "4"),
        ],
    )

    with organization_scope(organization.id):
        hours = InstrumentHours.objects.get(instrument=made)
        found = volumes_by_hour(organization.id, made.id, hours.starts_at, 4)
        later = volumes_by_hour(organization.id, made.id, hours.starts_at.replace(hour=12), 2)
    assert hours.energy_kwh == [7.5, None, 4.0]
    assert found.tolist() == [7.5, 0, 4, 0]
    assert later.tolist() == [4, 0]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "no hour"),
        ([("2026-07-01T10:00:00", "1")], "with its zone"),
        ([("2026-07-01T10:15:00Z", "1")], "full or half hour"),
        ([("2025-12-31T23:00:00Z", "1")], "outside the vintage"),
        ([("2026-07-01T10:00:00Z", "-1")], "0 kWh or more"),
        ([("2026-07-01T10:00:00Z", "1"), ("2026-07-01T12:00:00+02:00", "1")], "twice"),
        ([("2026-07-01T10:00:00Z", "2000.5")], "more than the 2000"),
        ([("noon", "1")], "no time and volume"),
    ],
)
def test_hours_that_cannot_be_are_refused(organization, rows, why):
    (made,) = add(organization, GO)

    with pytest.raises(EntryError, match=why):
        services.add_hours(organization_id=organization.id, instrument_id=made.id, rows=rows)


def test_own_markets_are_kept_and_read(organization):
    services.set_markets(organization_id=organization.id, own={"Alps": ["CH", "AT"]})

    with organization_scope(organization.id):
        assert markets_of(organization.id).of("CH", "CH") == "Alps"
    with pytest.raises(services.MarketsError):
        services.set_markets(organization_id=organization.id, own={"A": ["DE"], "B": ["DE"]})


def test_another_organization_sees_nothing_of_it(organization, other_organization):
    (made,) = add(organization, {**GO, **RETIRED})

    with organization_scope(other_organization.id):
        assert ContractualInstrument.objects.count() == 0
        assert held_instruments(organization.id, COUNTRIES) == []
    with pytest.raises(services.InstrumentError, match="no instrument"):
        services.withdraw_instrument(organization_id=other_organization.id, instrument_id=made.id, reason="mine")


@pytest.mark.parametrize(
    "statement",
    [
        "update factors_contractualinstrument set energy_kwh = 1",
        "delete from factors_contractualinstrument",
        "update factors_instrumentevent set kind = 'withdrawn'",
        "delete from factors_instrumentevent",
        "delete from factors_instrumenthours",
        "update factors_certificateclaim set whole = false",
    ],
)
def test_the_database_refuses_to_change_what_stands(organization, statement):
    add(organization, {**GO, **RETIRED})

    with (
        organization_scope(organization.id),
        pytest.raises(DatabaseError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
