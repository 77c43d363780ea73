"""Grid series: imported, chosen and taken back by those who may; every fault of a file is shown with its row."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from core.factors.grid_selectors import grid_series, served_quarters
from core.factors.pack import load_pack
from core.factors.services import load_factor_set
from core.organizations import services
from core.organizations.models import Person, Role
from core.organizations.tenancy import organization_scope

pytestmark = pytest.mark.django_db
KIND = {
    "zone": "DE",
    "source": "TSO data 2026",
    "licence": "CC BY 4.0",
    "boundary": "lifecycle",
    "basis": "consumption",
}
FORM = {**KIND, "gas_basis": "CO2e"}


@pytest.fixture
def sign_in(client, organization):
    load_factor_set(load_pack())

    def enter(role):
        who = Person.objects.create_user(f"{role}@example.org")
        services.add_member(organization_id=organization.id, person=who, role=role)
        client.force_login(who)
        return client

    return enter


def upload(text, **fields):
    return {**FORM, **fields, "file": SimpleUploadedFile("de.csv", text.encode(), "text/csv")}


def quarter_csv(missing=0):
    start = datetime(2026, 7, 1, tzinfo=UTC)
    lines = [f"{start + timedelta(hours=hour):%Y-%m-%dT%H:%MZ},{200 + hour % 24}" for hour in range(2208 - missing)]
    return "\n".join(["start_utc,g_per_kwh", *lines])


def quarters(organization):
    with organization_scope(organization.id):
        return served_quarters(organization.id)


def test_a_file_is_imported_and_chosen(sign_in, organization):
    client = sign_in(Role.SUSTAINABILITY_LEAD)

    imported = client.post("/factors/series/", upload(quarter_csv(missing=3)), follow=True).content.decode()
    client.post("/factors/series/use/", {"zone": "DE", "granularity": "hourly", "first_quarter": "2026-07-01"})
    page = client.get("/factors/series/").content.decode()

    assert "2,205 values of DE are entered" in imported
    (served,) = quarters(organization)
    assert (served.granularity, served.hours_missing) == ("hourly", 3)
    assert "30 Sep 21:00, 3 hours" in page
    assert "99.9 %" in page
    assert "200–223" in page
    assert "TSO data 2026" in page


def test_the_week_of_a_zone_is_drawn_without_the_hours_that_were_filled(sign_in, organization):
    client = sign_in(Role.SUSTAINABILITY_LEAD)
    client.post("/factors/series/", upload(quarter_csv(missing=3)))
    client.post("/factors/series/use/", {"zone": "DE", "granularity": "hourly", "first_quarter": "2026-07-01"})

    page = client.get("/factors/series/").content.decode()
    rows = list(csv.DictReader(io.StringIO(client.get("/factors/series/?zone=DE&format=csv").content.decode())))

    assert 'data-chart="grid-week"' in page
    assert "2,205 of 2,208 hours from the series" in page
    values = {(row["row"], row["column"]): float(row["value [kg CO2e per kWh]"]) for row in rows}
    assert len(values) == 168
    assert values["Mon", "00"] == pytest.approx(0.200)  # every day alike: 200 + hour
    assert values["Wed", "23"] == pytest.approx(0.223)  # 30 Sep 2026, a Wednesday, lacks 21:00 to 23:00


def test_a_quarter_with_too_many_gaps_says_what_it_takes_instead(sign_in, organization):
    client = sign_in(Role.SUSTAINABILITY_LEAD)
    client.post("/factors/series/", upload(quarter_csv(missing=100)))
    client.post("/factors/series/use/", {"zone": "DE", "granularity": "hourly"})

    page = client.get("/factors/series/").content.decode()

    assert "<strong>yearly (published)</strong>" in page
    assert "Sep 2026" in page  # the month that has no mean either


def test_every_fault_of_a_file_stands_in_a_table(sign_in, organization):
    text = "month,g_per_kwh\n2026-07,x\n2026-08,-1\n"

    answer = sign_in(Role.SUSTAINABILITY_LEAD).post("/factors/series/", upload(text))

    page = answer.content.decode()
    assert answer.status_code == 400
    assert "Nothing was imported" in page
    assert "is no number" in page
    assert "negative" in page
    assert 'value="TSO data 2026"' in page
    with organization_scope(organization.id):
        assert grid_series(organization.id) == []


@pytest.mark.parametrize(
    ("text", "change", "says"),
    [
        ("month,g_per_kwh\n2026-07,1\n", {"zone": "Atlantis"}, "not in the catalog"),
        ("month,g_per_kwh\n2026-07,1\n", {"source": ""}, "This field is required"),
        ("\ud800", {}, "no UTF-8"),
    ],
)
def test_refusal_stands_beside_the_field(sign_in, text, change, says):
    given = upload("x", **change)
    given["file"] = SimpleUploadedFile("de.csv", text.encode("utf-8", "surrogatepass"), "text/csv")

    answer = sign_in(Role.SUSTAINABILITY_LEAD).post("/factors/series/", given)

    assert answer.status_code == 400
    assert says in answer.content.decode()


def test_an_import_is_taken_back_with_a_reason(sign_in, organization):
    client = sign_in(Role.SUSTAINABILITY_LEAD)
    client.post("/factors/series/", upload("month,g_per_kwh\n2026-07,100\n"))
    with organization_scope(organization.id):
        (series,) = grid_series(organization.id)

    without = client.post(f"/factors/series/{series.id}/remove/", {}, follow=True).content.decode()
    after = client.post(
        f"/factors/series/{series.id}/remove/", {"reason": "of another zone"}, follow=True
    ).content.decode()

    assert "Say why" in without
    assert "Taken back: of another zone" in after
    assert quarters(organization) == ()


def test_who_may_not_manage_factors_reads_them(sign_in):
    client = sign_in(Role.AUDITOR)

    assert "No grid series" in client.get("/factors/series/").content.decode()
    assert client.post("/factors/series/", upload("month,g_per_kwh\n2026-07,1\n")).status_code == 403
    assert client.post("/factors/series/use/", {"zone": "DE", "granularity": "hourly"}).status_code == 403
