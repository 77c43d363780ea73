"""A lead who reads German: from the switch to a figure's evidence, on a desk and on a phone."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import Tab, new_context
from tests.journeys.conftest import EMAIL, PASSWORD

pytestmark = [pytest.mark.slow, pytest.mark.browser]

PAGES = [
    "/",
    "/teams/",
    "/models/",
    "/requests/",
    "/runs/",
    "/providers/",
    "/intensity/",
    "/bookings/",
    "/explain/?team=Search",
    "/sources/",
    "/sources/import/",
    "/quality/",
    "/settings/",
    "/settings/privacy/",
    "/settings/sites/berlin/",
    "/factors/",
    "/system/",
]


def sign_in(tab):
    page = tab.page
    page.goto(f"{tab.base}/accounts/login/")
    page.get_by_label("E-Mail").fill(EMAIL)
    page.get_by_label("Passwort").fill(PASSWORD)
    page.get_by_role("button", name="Anmelden").click()
    page.wait_for_load_state("networkidle")


def test_the_language_is_chosen_and_stays(signed_in, site):
    tab = signed_in()
    page = tab.open("/teams/?period=2026-Q3")

    page.locator(".nav-foot details").last.locator("summary").click()
    page.get_by_role("button", name="Deutsch").click()
    expect(page).to_have_url(re.compile(r"/teams/\?period=2026-Q3$"))
    expect(page.locator("html")).to_have_attribute("lang", "de")
    tab.open("/")

    expect(page.get_by_role("heading", level=1)).to_have_text("Übersicht")
    page.locator(".nav-foot details").last.locator("summary").click()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    assert tab.complaints == []


def test_a_lead_follows_the_total_down_to_its_evidence_in_german(browser, site):
    tab = Tab(new_context(browser, locale="de-DE").new_page(), site.base)
    sign_in(tab)
    page = tab.open("/")

    expect(page.locator(".kpi.lead .value")).to_contain_text("3,64")  # 10,000 kWh x (329.0 + 34.6) g
    expect(page.locator(".kpi.lead")).to_contain_text("KI-Emissionen, standortbasiert")
    said = page.evaluate(
        "[...document.querySelectorAll('.plot-live .ytick text, .plot-live .xtick text')].map(one => one.textContent)"
    )
    assert said
    assert [text for text in said if re.search(r"\d\.\d", text)] == []
    page.locator(".kpi.lead a.figure").click()
    drawer = page.get_by_role("dialog", name="Warum diese Zahl")
    expect(drawer).to_contain_text("6.000")  # kWh of the first line
    expect(drawer).to_contain_text("Formel mit ihren Zahlen")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    assert tab.complaints == []


@pytest.mark.parametrize("width", ["laptop", "phone"])
def test_german_words_fit(browser, site, width):
    tab = Tab(new_context(browser, width=width, locale="de-DE").new_page(), site.base)
    sign_in(tab)
    clipped = """[...document.querySelectorAll('h1, h2, .button, .badge, .kpi .label, .kpi .value, .nav a, summary')]
      .filter(one => one.checkVisibility() && !one.closest('.sr, .cut') && one.scrollWidth > one.clientWidth + 1
        && getComputedStyle(one).display !== 'inline')
      .map(one => one.textContent.trim().slice(0, 60))"""

    found = {address: (tab.open(address).evaluate(clipped), tab.overflow()) for address in PAGES}

    assert {address: seen for address, seen in found.items() if seen[0] or seen[1] > 0} == {}
    assert tab.complaints == []
