"""A site with three teams and a quarter of records, and a browser in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.management import call_command
from playwright.sync_api import Browser

from core.accounting.services import add_register_entries, add_site
from core.organizations.models import Organization, Person, Role
from core.organizations.services import add_member
from tests.browser.chromium import Tab, Theme, chromium, new_context
from tests.browser.site import web_server
from tests.deliver import deliver, metered
from tests.servers import Servers

EMAIL = "ada@example.org"
PASSWORD = "correct horse battery"  # of the fixture ``person``
WEEKS = 12


@dataclass(frozen=True)
class Site:
    """An organization behind a running web server, and the quarter that its records lie in."""

    base: str
    organization: Organization
    first_day: date
    last_day: date


def latest_complete_quarter(today: date) -> tuple[date, date]:
    """
    Find the quarter that pages show unasked: first and last day.

    >>> latest_complete_quarter(date(2026, 11, 25))
    (datetime.date(2026, 7, 1), datetime.date(2026, 9, 30))
    """
    this = date(today.year, 3 * ((today.month - 1) // 3) + 1, 1)
    last_day = this - timedelta(days=1)
    return date(last_day.year, last_day.month - 2, 1), last_day


def records(first_day: date) -> list[dict[str, object]]:
    """
    Twelve days of two teams, a week apart, and one of a third: 6,000 + 3,000 + 1,000 kWh at a German facility.

    Location 329.0 g/kWh (EEA 2023) makes 3.290 t, upstream 34.6 g/kWh (Ember 2026) another 0.346 t.
    """

    def day(week: int, team: str, model: str, kwh: float, **fields: object) -> dict[str, object]:
        start = datetime(first_day.year, first_day.month, first_day.day, tzinfo=UTC) + timedelta(weeks=week, days=1)
        end = start + timedelta(days=1)
        return metered(
            f"{team}:{week}",
            kwh,
            started_at=f"{start:%Y-%m-%dT%H:%M:%SZ}",
            ended_at=f"{end:%Y-%m-%dT%H:%M:%SZ}",
            team=team,
            model=model,
            **fields,
        )

    served = {"requests": 50_000, "output_tokens": 20_000_000}
    return [
        *(day(week, "Search", "atlas-70b", 500.0, **served) for week in range(WEEKS)),
        *(day(week, "Assistants", "atlas-8b-int4", 250.0, **served) for week in range(WEEKS)),
        day(5, "Foundation models", "atlas-70b", 1000.0, stage="training", run="atlas/70b-v3"),
    ]


@pytest.fixture(scope="session")
def web(servers: Servers) -> Iterator[str]:
    """The address of one web server for all journeys."""
    with web_server({"DEBUG": "0", "DATABASE_URL": servers.app_url, "REDIS_URL": servers.redis_url}) as base:
        yield base


@pytest.fixture
def site(committed_db: None, web: str, organization: Organization, person: Person) -> Site:
    first_day, last_day = latest_complete_quarter(datetime.now(UTC).date())
    add_member(organization_id=organization.id, person=person, role=Role.OWNER)
    delivered = deliver(organization, records(first_day), source="cluster")
    assert delivered.counts["written"] == 2 * WEEKS + 1, delivered.counts
    call_command(
        "set_target",
        organization=organization.slug,
        name="Limit",
        kg_per_year=12_000.0,
        starts_on=first_day,
        verbosity=0,
    )
    add_site(organization_id=organization.id, slug="berlin", name="Berlin hall", country="DE", zone="DE")
    month = {"site": "berlin", "date": f"{first_day:%Y-%m}", "source": "meters"}
    entries = [
        {**month, "kind": "meter_reading", "facility_kwh": 1200, "it_kwh": 1000},
        {**month, "kind": "purchase", "date": first_day.isoformat(), "hardware": "NVIDIA H100", "count": 8},
    ]
    add_register_entries(organization_id=organization.id, rows=entries, today=last_day)
    return Site(web, organization, first_day, last_day)


@pytest.fixture
def browser(site: Site) -> Iterator[Browser]:
    """Started after the data are there: its event loop keeps Django's ORM out of this thread."""
    with chromium() as running:
        yield running


@pytest.fixture
def signed_in(browser: Browser, site: Site) -> Callable[..., Tab]:
    """Open a tab of a fresh profile where Ada is signed in."""

    def open_tab(*, width: str = "laptop", theme: Theme = "light", **options: object) -> Tab:
        tab = Tab(new_context(browser, width=width, theme=theme, **options).new_page(), site.base)
        tab.sign_in(EMAIL, PASSWORD)
        return tab

    return open_tab
