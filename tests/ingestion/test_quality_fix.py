"""Rows in quarantine: the effect of a setting before it is set, the fix itself, and exports."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.test import Client

from core.factors.pack import load_pack
from core.factors.services import load_factor_set
from core.ledger.models import Source
from core.ledger.services import create_source
from core.organizations import services as organizations
from core.organizations.models import AuditEvent, Role
from core.organizations.tenancy import organization_scope
from ingestion import selectors, services
from tests.ingestion.sources.bills import MACHINE, STORAGE

from .conftest import stamp

pytestmark = pytest.mark.usefixtures("committed_db", "woken")


@pytest.fixture
def signed_in(client: Client, organization: Any, person: Any) -> Client:
    organizations.add_member(organization_id=organization.id, person=person, role=Role.SUSTAINABILITY_LEAD)
    client.force_login(person)
    return client


def old(record_id: str, days: int, kwh: float) -> dict[str, Any]:
    """An hour of metered energy at a facility in Germany, 0.329 kg/kWh by EEA's value of 2023."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)
    return {
        "record_id": record_id,
        "started_at": stamp(start),
        "ended_at": stamp(start + timedelta(hours=1)),
        "stage": "training",
        "hosting": "owned",
        "zone": "DE",
        "evidence": "measured",
        "energy_kwh": kwh,
        "energy_boundary": "facility",
    }


@pytest.fixture
def source(organization: Any) -> Source:
    load_factor_set(load_pack())
    return create_source(organization_id=organization.id, kind="activity", name="Meters", settings={"max_age_days": 30})


def send(organization: Any, source: Source, *records: dict[str, Any]) -> None:
    _token, secret = organizations.issue_token(
        organization_id=organization.id, name="x", scopes=["ingest"], source_id=source.id
    )
    answer = Client().post(
        "/api/v1/activity",
        json.dumps(records),
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert answer.status_code == 202
    services.drain_inbox(organization.id)


def open_rows(organization: Any, reason: str) -> int:
    with organization_scope(organization.id):
        return selectors.quarantine(organization.id, reason=reason).count()


def test_the_effect_is_shown_before_a_setting_is_set(signed_in: Client, organization: Any, source: Source) -> None:
    send(organization, source, old("a", 40, 10.0), old("b", 90, 1000.0))
    address = f"/quality/{source.id}/too_old/fix/"
    assert address in signed_in.get("/quality/").content.decode()

    page = signed_in.post(address, {"max_age_days": "60", "verdict": "try"})

    effect = page.context["effect"]
    assert (effect.rows, effect.records, dict(effect.still)) == (2, 1, {"too_old": 1})
    assert effect.energy_kwh == pytest.approx(10.0)
    # 3.29 kg of electricity; what is upstream of it comes on top
    assert 3.29 <= effect.kg_co2e < 3.29 * 1.5
    assert effect.low_kg_co2e <= effect.kg_co2e <= effect.high_kg_co2e
    assert open_rows(organization, "too_old") == 2
    with organization_scope(organization.id):
        assert Source.objects.get(id=source.id).settings == {"max_age_days": 30}


def test_the_setting_is_set_and_the_rows_are_read_again(signed_in: Client, organization: Any, source: Source) -> None:
    send(organization, source, old("a", 40, 10.0), old("b", 90, 1000.0))

    signed_in.post(f"/quality/{source.id}/too_old/fix/", {"max_age_days": "100", "verdict": "apply"})
    services.drain_inbox(organization.id)

    assert open_rows(organization, "too_old") == 0
    with organization_scope(organization.id):
        assert Source.objects.get(id=source.id).settings == {"max_age_days": 100}
        assert [batch.written for batch in selectors.batches(organization.id)] == [2, 0]
        event = AuditEvent.objects.get(action="update_source")
    assert event.reason == "rows in quarantine: too_old"


def test_a_stage_that_no_record_names_is_set_at_the_source(
    signed_in: Client, organization: Any, source: Source
) -> None:
    nameless = {key: value for key, value in old("a", 1, 5.0).items() if key != "stage"}
    send(organization, source, nameless, old("b", 1, 5.0) | {"model": 7})
    address = f"/quality/{source.id}/bad_field/fix/"

    effect = signed_in.post(address, {"stage": "training", "verdict": "try"}).context["effect"]
    signed_in.post(address, {"stage": "training", "verdict": "apply"})
    services.drain_inbox(organization.id)

    assert (effect.records, dict(effect.still)) == (1, {"bad_field": 1})
    assert open_rows(organization, "bad_field") == 1  # the other one is wrong in itself


def test_a_reason_that_no_setting_mends_offers_to_read_again(
    signed_in: Client, organization: Any, source: Source
) -> None:
    send(organization, source, old("a", 1, 5.0) | {"model": 7})

    page = signed_in.get(f"/quality/{source.id}/bad_field/fix/").content.decode()

    assert "No setting of a source lets such rows pass" in page
    assert signed_in.get(f"/quality/{source.id}/no_reason/fix/").status_code == 404


def test_all_open_rows_are_exported_with_their_payload(signed_in: Client, organization: Any, source: Source) -> None:
    send(organization, source, old("=cmd()", 40, 10.0), old("b", 1, 5.0) | {"model": 7})

    rows = json.loads(b"".join(signed_in.get("/quality/export.json")))  # type: ignore[arg-type]
    text = b"".join(signed_in.get(f"/quality/export.csv?source={source.id}&reason=too_old")).decode()  # type: ignore[arg-type]
    out = io.StringIO()
    call_command("quarantine", "export", organization=organization.slug, format="json", stdout=out)

    assert [(row["record_id"], row["reason"]) for row in rows] == [("=cmd()", "too_old"), ("b", "bad_field")]
    assert rows[0]["payload"]["energy_kwh"] == 10.0
    (cells,) = csv.DictReader(io.StringIO(text))
    assert cells["record_id"] == "'=cmd()"
    assert json.loads(cells["payload"])["energy_kwh"] == 10.0
    assert json.loads(out.getvalue()) == rows


def deliver(organization: Any, *rows: dict[str, str]) -> Any:
    """Send one bill, as a new delivery."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(MACHINE))
    writer.writeheader()
    writer.writerows(rows)
    _token, secret = organizations.issue_token(organization_id=organization.id, name="bill", scopes=["ingest"])
    form = {"file": SimpleUploadedFile("bill.csv", text.getvalue().encode()), "source": "focus"}
    answer = Client().post("/api/v1/imports", form, headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 202, answer.content
    services.drain_inbox(organization.id)
    with organization_scope(organization.id):
        return Source.objects.get(kind="focus")


def test_a_unit_that_no_table_knows_is_said_what_it_stands_for(signed_in: Client, organization: Any) -> None:
    load_factor_set(load_pack())
    odd = MACHINE | {"ConsumedUnit": "Std", "ConsumedQuantity": "3", "SkuId": "ODD"}
    bill = deliver(organization, MACHINE, odd)
    address = f"/quality/{bill.id}/unknown_unit/fix/"

    form = signed_in.get(address).context["form"]
    tried = signed_in.post(address, {"units": "std = Hours", "verdict": "try"}).context["effect"]
    wrong = signed_in.post(address, {"units": "std = barrels", "verdict": "try"}).context["effect"]
    unsaid = signed_in.post(address, {"units": "std = ", "verdict": "apply"})
    signed_in.post(address, {"units": "std = Hours", "verdict": "apply"})
    services.drain_inbox(organization.id)

    assert form["units"].value() == "Std = "
    assert (tried.rows, tried.records, dict(tried.still)) == (1, 1, {})
    assert tried.kg_co2e > 0
    assert (wrong.records, dict(wrong.still)) == (0, {"unknown_unit": 1})
    assert unsaid.status_code == 400
    assert open_rows(organization, "unknown_unit") == 0
    with organization_scope(organization.id):
        assert Source.objects.get(id=bill.id).settings == {"units": {"std": "Hours"}}
        event = AuditEvent.objects.get(action="update_source")
        with connection.cursor() as cursor:
            cursor.execute("select sum(instance_hours) from ledger_record")
            assert cursor.fetchone() == (4.0,)  # 1 as billed, 3 by the new name
    assert event.reason == "rows in quarantine: unknown_unit"


def by_hand(record_id: str) -> dict[str, Any]:
    """A record that is too old by ten days."""
    return old(record_id, 40, 2.0)


def outcome(organization: Any) -> dict[str, int]:
    """What the batches of a replay came to, together."""
    with organization_scope(organization.id):
        again = selectors.batches(organization.id).filter(payload_of__isnull=False, dry_run=False)
        names = ("written", "duplicate", "quarantined")
        return {name: sum(getattr(batch, name) for batch in again) for name in names}


def test_what_the_trial_promises_is_what_reading_again_gives(
    signed_in: Client, organization: Any, source: Source
) -> None:
    send(organization, source, by_hand("passes"), by_hand("stands"), old("older", 400, 1.0))
    send(organization, source, old("stands", 5, 1.0))  # its id is taken meanwhile, with other content
    send(organization, source, by_hand("gone"))
    with organization_scope(organization.id), connection.cursor() as cursor:
        latest = selectors.batches(organization.id).first()
        assert latest is not None
        cursor.execute("delete from ingestion_payload where batch_id = %s", [latest.id])
    address = f"/quality/{source.id}/too_old/fix/"

    page = signed_in.post(address, {"max_age_days": "60", "verdict": "try"})
    effect = page.context["effect"]
    said = signed_in.post(address, {"max_age_days": "60", "verdict": "apply"}, follow=True).context["messages"]
    services.drain_inbox(organization.id)

    assert (effect.records, effect.standing, dict(effect.still)) == (1, 1, {"too_old": 1})
    assert sum(effect.refused.values()) == 1
    assert set(effect.refused) < {str(each) for each in said}  # in the same words
    assert "have an id that stands already" in page.content.decode()
    # The one whose id stands waits as a conflict beside the one that is older still.
    assert outcome(organization) == {"written": effect.records, "duplicate": 0, "quarantined": 2}
    assert open_rows(organization, "too_old") == 2  # with the one that could not be read
    assert open_rows(organization, "conflicting_duplicate") == effect.standing


def test_a_bill_that_a_later_delivery_has_overtaken_is_refused_by_the_trial_too(
    signed_in: Client, organization: Any
) -> None:
    load_factor_set(load_pack())
    odd = MACHINE | {"ConsumedUnit": "Std", "SkuId": "ODD"}
    bill = deliver(organization, MACHINE, odd)
    deliver(organization, MACHINE)
    address = f"/quality/{bill.id}/unknown_unit/fix/"

    page = signed_in.post(address, {"units": "std = Hours", "verdict": "try"})
    said = signed_in.post(address, {"units": "std = Hours", "verdict": "apply"}, follow=True).context["messages"]

    effect = page.context["effect"]
    assert (effect.rows, effect.records, sum(effect.refused.values())) == (0, 0, 1)
    assert list(effect.refused) == [str(each) for each in said]
    assert "a later delivery of this source stands" in page.content.decode()
    assert 'value="apply"' not in page.content.decode()
    assert outcome(organization) == {"written": 0, "duplicate": 0, "quarantined": 0}


# --- the same row again -----------------------------------------------------------------------------------------------


def waiting(organization: Any) -> list[tuple[str | None, str, int]]:
    with organization_scope(organization.id):
        return [(row.record_id, row.reason, row.times_sent) for row in selectors.quarantine(organization.id)]


def test_the_same_refused_row_waits_once_and_says_how_often_it_was_sent(
    signed_in: Client, organization: Any, source: Source
) -> None:
    row, other = old("a", 40, 10.0), old("a", 40, 11.0)
    send(organization, source, row)
    with organization_scope(organization.id):
        first = selectors.quarantine(organization.id).get()
    for _ in range(3):
        send(organization, source, row)
    send(organization, source, other)

    assert waiting(organization) == [("a", "too_old", 4), ("a", "too_old", 1)]
    with organization_scope(organization.id):
        kept = selectors.quarantine(organization.id).first()
        assert kept is not None
        assert kept.first_seen == first.first_seen < kept.last_seen
        assert kept.batch_id != first.batch_id  # of the latest delivery, whose payload is kept longest
        assert [batch.quarantined for batch in selectors.batches(organization.id)] == [1] * 5
    assert "4 times" in signed_in.get(f"/quality/{source.id}/too_old/").content.decode()
    assert "5 times in all" in signed_in.get("/quality/").content.decode()


def test_equal_rows_of_one_delivery_are_read_again_each(organization: Any, source: Source) -> None:
    nameless = {key: value for key, value in old("a", 40, 1.0).items() if key != "record_id"}
    send(organization, source, nameless, nameless)
    send(organization, source, nameless, nameless)

    assert [times for _, _, times in waiting(organization)] == [2, 2]


def test_a_row_that_is_refused_again_when_it_is_read_again_goes_on_as_what_it_was(
    organization: Any, source: Source
) -> None:
    row = old("a", 40, 10.0)
    send(organization, source, row, old("b", 40, 1.0))
    send(organization, source, row)

    services.replay_quarantine(organization.id, source_id=source.id)
    services.drain_inbox(organization.id)
    send(organization, source, row)

    assert sorted(waiting(organization)) == [("a", "too_old", 3), ("b", "too_old", 1)]


def test_a_row_that_could_not_be_kept_is_known_by_its_place_in_the_same_body(organization: Any, source: Source) -> None:
    def lines(*bodies: bytes) -> None:
        _token, secret = organizations.issue_token(
            organization_id=organization.id, name="x", scopes=["ingest"], source_id=source.id
        )
        for body in bodies:
            headers = {"Authorization": f"Bearer {secret}"}
            Client().post("/api/v1/activity", body, content_type="application/x-ndjson", headers=headers)
        services.drain_inbox(organization.id)

    lines(b"{broken\n{broken", b"{broken\n{broken", b"{torn")

    assert sorted(times for _, _, times in waiting(organization)) == [1, 2, 2]


def test_credits_are_explained_where_they_count_and_where_they_are_outside(
    signed_in: Client, organization: Any
) -> None:
    credit = {"ChargeCategory": "Credit", "ConsumedQuantity": "", "ConsumedUnit": ""}
    deliver(
        organization,
        MACHINE,
        MACHINE | credit | {"EffectiveCost": "-5.04", "SkuId": "C1"},
        MACHINE | credit | {"EffectiveCost": "-4.96", "SkuId": "C2"},
        MACHINE | credit | {"ChargeCategory": "Tax", "EffectiveCost": "9", "SkuId": "T"},
        STORAGE | credit | {"EffectiveCost": "-2", "SkuId": "C3"},
    )
    with organization_scope(organization.id):
        batch = selectors.batches(organization.id).get()

    page = signed_in.get(f"/sources/batches/{batch.id}/").content.decode()

    assert (batch.written, batch.outside) == (4, 1)
    follow = "money alone, from which no tokens, hours or emissions follow."
    assert batch.log[1:] == [
        f"2 rows of AI services charged as credit (-10.00 EUR): {follow}",
        f"1 row of AI services charged as tax (9.00 EUR): {follow}",
    ]
    assert batch.log[1] in page
    assert "A cost below zero is what credits, refunds and discounts take off these services" in page


def test_rows_that_came_again_are_told_of_on_the_page_of_their_first_batch(
    signed_in: Client, organization: Any, source: Source
) -> None:
    row = old("a", 40, 10.0)
    send(organization, source, row)
    send(organization, source, row)
    with organization_scope(organization.id):
        later, first = selectors.batches(organization.id)

    told = "they wait with the later delivery"
    assert told in signed_in.get(f"/sources/batches/{first.id}/").content.decode()
    assert told not in signed_in.get(f"/sources/batches/{later.id}/").content.decode()
