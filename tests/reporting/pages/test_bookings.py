"""The page of the two bookings, and the overview in either."""

from __future__ import annotations

import csv
import io
from datetime import date
from html import unescape

import pytest

from core.accounting import services as accounting
from core.organizations import services
from core.organizations.models import Person, Role
from tests.deliver import deliver, metered

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]


@pytest.fixture
def lead(client, organization):
    deliver(organization, [metered("own", 1000.0, site="berlin", team="search")])
    accounting.add_site(organization_id=organization.id, slug="berlin", name="Berlin hall", country="DE", zone="DE")
    row = {"site": "berlin", "source": "x", "kind": "fuel", "date": "2026-07-14", "fuel": "diesel", "fuel_l": 1000}
    accounting.add_register_entries(organization_id=organization.id, rows=[row], today=date(2026, 11, 25))
    person = Person.objects.create_user("lead@example.org")
    services.add_member(organization_id=organization.id, person=person, role=Role.SUSTAINABILITY_LEAD)
    client.force_login(person)
    return client


def text(answer):
    assert answer.status_code == 200
    return unescape(answer.content.decode()).replace("\u202f", " ")


def test_the_bridge_shows_each_step_and_its_entries(lead):
    page = text(lead.get("/bookings/?period=2026-Q3"))

    assert "plus fuel burnt at sites" in page
    assert "+2.66" in page  # t: 1,000 L x 2.66155 kg
    assert "1000 L of diesel" in page
    assert "DESNZ" in page


def test_the_file_sums_exactly(lead):
    rows = list(csv.DictReader(io.StringIO(text(lead.get("/bookings/?period=2026-Q3&format=csv")))))

    amounts = {row["step"]: float(row["kg_co2e"]) for row in rows}
    disclosed = amounts.pop("as_disclosed")
    # 1,000 kWh x 363.6 g, and the diesel
    assert amounts["life_cycle"] == pytest.approx(363.6, abs=1e-6)
    assert disclosed == pytest.approx(sum(amounts.values()), abs=1e-9)
    assert disclosed == pytest.approx(363.6 + 2661.55, abs=1e-6)


def test_the_chart_is_drawn_from_the_same_bridge(lead):
    page = text(lead.get("/bookings/?period=2026-Q3"))
    rows = list(csv.DictReader(io.StringIO(text(lead.get("/bookings/?period=2026-Q3&format=csv&tab=chart")))))

    assert 'data-chart="bridge"' in page
    assert [row["part"] for row in rows] == ["Operations and life cycle", "Fuel at sites", "As disclosed"]
    assert [float(row["value [kg CO2e]"]) for row in rows] == pytest.approx([363.6, 2661.55, 3025.15], abs=1e-6)
    assert float(rows[1]["begins at [kg CO2e]"]) == pytest.approx(363.6, abs=1e-6)


def test_the_overview_switches_to_the_other_booking_and_back(lead):
    here = text(lead.get("/?period=2026-Q3"))
    there = text(lead.get("/?period=2026-Q3&booking=disclosed"))

    assert "booking=disclosed" in here
    assert "/bookings/?period=2026-Q3" in here
    assert "364 kg" in here
    assert "3.03 t" in there  # 363.6 + 2,661.55 = 3,025.15 kg
    assert "operations and life cycle" in there


def test_the_tree_behind_the_disclosed_figure_names_the_entry(lead):
    assert "1000 L of diesel" in text(lead.get("/explain/?period=2026-Q3&booking=disclosed"))


def test_without_records_the_page_says_so(client, other_organization):
    person = Person.objects.create_user("new@example.org")
    services.add_member(organization_id=other_organization.id, person=person, role=Role.OWNER)
    client.force_login(person)

    assert "Nothing to add up yet" in text(client.get("/bookings/"))
