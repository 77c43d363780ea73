"""A newcomer's first ten minutes and the overview afterwards, by keyboard alone, on a phone, in the dark."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import connections
from playwright.sync_api import Locator, Page, expect

from core.accounting.services import derive_dirty_days
from core.factors.pack import load_pack
from core.factors.services import load_factor_set
from core.organizations.models import Person, Role
from core.organizations.services import add_member, create_organization
from ingestion.services.drain import drain_inbox
from tests.browser.chromium import Tab, chromium, new_context
from tests.journeys.conftest import Site
from tests.journeys.reading import figure

pytestmark = [pytest.mark.slow, pytest.mark.browser]

EMAIL, PASSWORD = "tina@example.org", "correct horse battery"
MOST_TABS = 90


@pytest.fixture
def studio(committed_db, web):
    """An organization of one person, without a record."""
    load_factor_set(load_pack())
    organization = create_organization(slug="studio", name="Tiny Studio", country="DE")
    person = Person.objects.create_user(EMAIL, PASSWORD)
    add_member(organization_id=organization.id, person=person, role=Role.OWNER)
    today = datetime.now(UTC).date()
    return Site(web, organization, today, today)


@pytest.fixture
def tab(studio):
    """Started after the data are there: its event loop keeps Django's ORM out of this thread."""
    with chromium() as browser:
        opened = Tab(new_context(browser, width="phone", theme="dark").new_page(), studio.base)
        opened.sign_in(EMAIL, PASSWORD)
        yield opened


def worked_off(organization_id):
    """Do what the worker does, in a thread without the browser's event loop."""

    def work():
        try:
            drain_inbox(organization_id)
            while derive_dirty_days(organization_id).left:
                pass
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until something has the focus, and see that nothing covers it."""
    for _press in range(MOST_TABS):
        page.keyboard.press("Tab")
        if wanted.evaluate("one => one === document.activeElement"):
            break
    expect(wanted).to_be_focused()
    seen = "one => { const at = one.getBoundingClientRect();"
    seen += " return one.contains(document.elementFromPoint(at.x + at.width / 2, at.y + at.height / 2)) }"
    assert wanted.evaluate(seen), "what has the focus is covered"


def is_fit(tab: Tab) -> None:
    """Hold the page against axe-core, its width and its console."""
    assert tab.violations() == []
    assert tab.overflow() <= 0
    assert tab.complaints == []


def test_a_newcomer_types_in_a_month_and_has_a_figure(tab, studio):
    page = tab.page
    expect(page.get_by_role("heading", name="How much does our AI emit")).to_be_visible()
    is_fit(tab)

    tab_to(page, page.get_by_role("link", name="Neither: type in a month"))
    page.keyboard.press("Enter")
    tab_to(page, page.locator("[name=computers-0-energy_kwh]"))
    page.keyboard.type("42")
    page.keyboard.press("Tab")
    page.keyboard.type("DE")
    said = page.locator("#worked-total")
    expect(said).to_contain_text("24.1 kg CO2e between")  # 42 kWh x PUE 1.58 x (329.0 + 34.6) g = 24.13 kg
    is_fit(tab)

    tab_to(page, page.get_by_role("button", name="Save the month"))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/sources/batches/"))
    worked_off(studio.organization.id)
    page.reload()  # so that the page's own, on seeing that all is read, does not fall between two keys
    page.wait_for_load_state("networkidle")
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.wait_for_url(f"{studio.base}/")
    tab.settle()

    assert figure(page.locator(".kpi.lead .value").inner_text()) == (24.1, "kg")
    expect(page.get_by_role("heading", name="Next steps")).to_be_visible()
    is_fit(tab)

    tab_to(page, page.get_by_role("button", name="Yes, I am"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("every export says so")
    tab_to(page, page.get_by_role("button", name="Dismiss"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("next steps is gone")
    expect(page.get_by_role("heading", name="Next steps")).to_have_count(0)
    is_fit(tab)


def test_a_month_that_cannot_be_taken_says_so_where_it_is_saved(tab):
    page = tab.open("/sources/months/")

    page.locator("[name=seats-0-product]").fill("Copilot Business")
    page.locator("[name=seats-0-seats]").fill("5")
    expect(page.locator("#worked-total")).to_contain_text("1 line cannot be taken")
    page.get_by_role("button", name="Save the month").click()

    expect(page.get_by_text("Nothing was saved yet")).to_be_visible()
    expect(page.locator("#worked")).to_contain_text("vendor")
    assert page.locator("[name=seats-0-seats]").input_value() == "5"  # kept
    assert all("400" in complaint for complaint in tab.complaints)  # the refusal itself
    assert tab.violations() == []


def test_the_overview_is_read_by_keyboard_on_a_phone_in_the_dark(signed_in):
    tab = signed_in(width="phone", theme="dark")
    page = tab.open("/")
    expect(page.locator(".kpi.lead")).to_contain_text("as disclosed")
    is_fit(tab)

    tab_to(page, page.get_by_role("link", name=re.compile("Chart.*Measured share")))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("metric=measured"))
    tab.settle()
    expect(page.locator("#trend-title")).to_have_text(re.compile("100.*rest on measurements"))
    expect(page.get_by_role("link", name=re.compile("Chart.*Measured share"))).to_have_attribute("aria-current", "true")
    is_fit(tab)

    page.keyboard.press("x")
    page.wait_for_url(re.compile("cmp=none.*metric=measured"))  # the choice stays with other ones
    tab_to(page, page.get_by_role("link", name="how the two differ"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Two bookings")).to_be_visible()
    tab.settle()
    is_fit(tab)
