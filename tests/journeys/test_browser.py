"""What people do with the pages, in a real browser under the real content security policy."""

import csv
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from playwright.sync_api import expect

from ingestion.services.drain import drain_inbox
from tests.browser.chromium import HEIGHT, WIDTHS, Tab, new_context
from tests.journeys.reading import figure

pytestmark = [pytest.mark.slow, pytest.mark.browser]

PAGES = [
    "/",
    "/teams/",
    "/teams/search/",
    "/models/?team=Search",
    "/models/?model=atlas-70b&model=atlas-8b-int4",
    "/models/atlas-70b/",
    "/changes/",
    "/changes/?tab=team&team=Search",
    "/providers/",
    "/providers/dossiers/",
    "/providers/dossiers/gcp/",
    "/providers/evaluations/",
    "/providers/evaluations/add/",
    "/requests/",
    "/requests/?sort=-kg&tab=failed",
    "/requests/spread/",
    "/requests/record/?record=Search%3A11",
    "/runs/",
    "/runs/?tab=compare&run=atlas/70b-v3",
    "/search/?q=atlas",
    "/jobs/",
    "/system/",
    "/intensity/",
    "/intensity/?unit=accepted_task",
    "/intensity/denominators/",
    "/explain/?team=Search",
    "/filters/?on=model&at=/teams/",
    "/filters/saved/?at=/teams/",
    "/teams/?team=Nobody&tier=batch",
    "/targets/",
    "/disclosures/",
    "/factors/",
    "/factors/own/",
    "/factors/series/",
    "/factors/restatements/",
    "/factors/row/?id=grid_intensity_annual--eea:DE:2023",
    "/factors/diff/",
    "/factors/names/?all=1",
    "/factors/instruments/",
    "/factors/instruments/add/",
    "/audit/",
    "/methodology/",
    "/methodology/device/",
    "/methodology/published-cases/",
    "/sources/",
    "/sources/add/",
    "/sources/add/?kind=otlp",
    "/sources/import/",
    "/runs/atlas/70b-v3/",
    "/quality/",
    "/quality/units/",
    "/quality/completeness/",
    "/settings/",
    "/settings/attribution/",
    "/settings/attribution/add/?condition=account+is+prod",
    "/settings/privacy/",
    "/settings/bill-rules/",
    "/settings/sites/",
    "/settings/sites/berlin/",
    "/settings/register/upload/",
    "/bookings/",
]


def drain(organization_id):
    """Do what the worker does, in a thread without the browser's event loop."""

    def work():
        try:
            return drain_inbox(organization_id)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_a_lead_follows_the_total_down_to_a_record(signed_in, site):
    tab = signed_in()
    page = tab.open("/")

    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    assert figure(page.locator(".kpi.lead .value").inner_text()) == (3.64, "t")  # 10,000 kWh x (329.0 + 34.6) g
    per_1000 = page.locator(".kpi", has_text="Per 1,000 requests").locator(".value")
    assert figure(per_1000.inner_text()) == (2.73, "kg")  # 9,000 kWh x 363.6 g over 1,200,000 requests, times 1,000

    page.get_by_role("link", name="Search", exact=True).click()
    expect(page).to_have_url(re.compile("/teams/Search/"))
    expect(page.get_by_role("row", name="atlas-70b")).to_contain_text("2.18")  # 6,000 kWh x 363.6 g, in t
    expect(page.get_by_role("row", name="atlas-8b")).to_have_count(0)

    page.get_by_role("link", name="atlas-70b", exact=True).click()
    expect(page).to_have_url(re.compile("/models/atlas-70b/.*team=Search"))
    expect(page.locator(".kpi.lead .value")).to_contain_text("2.18")
    page.get_by_role("main").get_by_role("link", name="Requests", exact=True).click()
    listed = page.get_by_role("group", name="Records").locator("tbody")
    expect(listed.locator("tr")).to_have_count(12)
    expect(listed.locator("tr").first).to_contain_text("500")

    listed.locator("a.figure").first.click()
    drawer = page.get_by_role("dialog", name="Why this number")
    expect(drawer).to_contain_text("182")  # 500 kWh x 363.6 g = 181.8 kg
    expect(drawer).to_contain_text("329")
    expect(drawer).to_contain_text("European Environment Agency")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    assert tab.complaints == []


def test_the_file_holds_what_the_page_shows(signed_in):
    tab = signed_in()
    page = tab.open("/teams/")

    with page.expect_download() as started:
        page.get_by_role("link", name="CSV").click()
    with started.value.path().open(newline="", encoding="utf-8") as file:
        rows = {row["team"]: float(row["total_kg_co2e"] or 0) for row in csv.DictReader(file)}

    assert rows == {
        "unattributed": 0.0,  # nobody's: always a row
        "Search": pytest.approx(2181.6, abs=2.0),
        "Assistants": pytest.approx(1090.8, abs=1.0),
        "Foundation models": pytest.approx(363.6, abs=0.4),
    }
    shown = {
        row.locator("th").inner_text(): figure(row.locator("td").first.inner_text().replace("-", "0") + " t")[0]
        for row in page.locator("tbody tr").all()
    }
    assert {team: round(kg / 1000, 2) for team, kg in rows.items()} == shown


def test_a_lead_orders_requests_and_goes_from_one_to_the_next(signed_in, site):
    tab = signed_in()
    page = tab.open("/requests/")

    expect(page.locator("#spread .plot")).to_be_visible()
    page.get_by_role("columnheader").get_by_role("link", name="MWh").click()
    expect(page).to_have_url(re.compile("sort=-kwh"))
    listed = page.get_by_role("group", name="Records").locator("tbody")
    expect(listed.locator("tr").first).to_contain_text("Foundation models")  # 1 MWh, the most of one record

    page.get_by_role("link", name="Search:11").click()
    drawer = page.locator("#drawer")
    expect(drawer.get_by_role("heading", level=1)).to_have_text("Search:11")
    expect(drawer).to_contain_text("500 kWh energy")
    place = drawer.get_by_role("navigation", name="In the list").locator("span").first
    before = place.inner_text()
    drawer.get_by_role("link", name="Next").click()
    expect(place).not_to_have_text(before)
    page.keyboard.press("Escape")

    page.get_by_role("complementary", name="Narrow the list").get_by_role("link", name="Assistants").click()
    expect(page).to_have_url(re.compile("team=Assistants"))
    expect(listed.locator("tr")).to_have_count(12)
    assert tab.complaints == []


def test_a_run_is_found_by_its_name_and_compared(signed_in, site):
    tab = signed_in()
    page = tab.open("/")

    page.keyboard.press("/")
    page.keyboard.type("70b-v3")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="atlas/70b-v3").click()
    expect(page.locator(".kpi.lead .value")).to_contain_text("364 kg")  # 1,000 kWh x 363.6 g
    expect(page.get_by_role("heading", name="In other grids")).to_be_visible()

    page.keyboard.press("g")
    page.keyboard.press("u")
    page.get_by_label("Compare atlas/70b-v3").check()
    page.get_by_role("button", name="Compare two to 4").click()
    expect(page.get_by_role("heading", name="Choose two to four runs")).to_be_visible()
    assert tab.complaints == []


def test_a_wrong_password_is_told_kindly(browser, site):
    tab = Tab(new_context(browser).new_page(), site.base)

    tab.sign_in("ada@example.org", "not the password")

    expect(tab.page.get_by_role("alert")).to_contain_text("not correct")
    expect(tab.page).to_have_title(re.compile("Sign in"))


def test_a_file_is_tried_first_and_then_imported(signed_in, site, tmp_path):
    day = site.first_day.isoformat()
    file = tmp_path / "records.csv"
    file.write_text(
        "record_id,started_at,ended_at,stage,hosting,zone,evidence,energy_kwh,energy_boundary,team\n"
        f"a,{day}T01:00:00Z,{day}T02:00:00Z,inference,owned,DE,measured,10,facility,Search\n"
        f"b,{day}T03:00:00Z,{day}T02:00:00Z,inference,owned,DE,measured,10,facility,Search\n"
    )
    tab = signed_in()
    page = tab.open("/sources/import/")

    page.get_by_label("Files").set_input_files(file)
    expect(page.get_by_text("records.csv")).to_be_visible()
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url(re.compile("/sources/batches/"))
    drain(site.organization.id)
    page.reload()

    expect(page.get_by_role("main")).to_contain_text("dry run: nothing is written")
    expect(page.get_by_role("row", name="3.29").first).to_be_visible()  # 10 kWh x 329.0 g, before anything is written
    page.get_by_role("button", name="Import it").click()
    page.wait_for_load_state("networkidle")
    drain(site.organization.id)
    page.reload()
    expect(page.locator(".counts")).to_contain_text(re.compile(r"written\s*1"))
    tab.open("/quality/")
    expect(page.get_by_role("main")).to_contain_text("negative_interval")
    assert tab.complaints == []


def test_a_register_file_is_shown_first_and_a_refused_one_with_every_fault(signed_in, site, tmp_path):
    tab = signed_in()
    page = tab.open("/settings/register/upload/")
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    header = "site,kind,date,source,water_l"
    good.write_text(f"{header}\nberlin,water,{site.first_day:%Y-%m},bill,500\n")
    bad.write_text(f"{header}\natlantis,water,{site.first_day:%Y-%m},bill,500\n")

    page.get_by_label("CSV file").set_input_files(bad)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text("There is no site 'atlantis'")).to_be_visible()
    page.get_by_label("CSV file").set_input_files(good)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="1 entry, without a fault")).to_be_visible()
    page.get_by_role("button", name="Add the entry").click()

    expect(page.get_by_role("status").first).to_contain_text("in the register")


def test_a_refused_file_of_instruments_lists_its_faults(signed_in, tmp_path):
    page = signed_in().open("/factors/instruments/add/")
    file = tmp_path / "instruments.csv"
    file.write_text("type,energy_kwh,market,vintage\nhope,5,DE,2025\n")

    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_role("button", name="Upload").click()

    expect(page.get_by_role("row", name=re.compile("1 type"))).to_be_visible()


def test_only_certificates_are_asked_for_their_retirement(signed_in):
    page = signed_in(java_script_enabled=False).page
    page.goto(page.url.split("/accounts")[0].rstrip("/") + "/factors/instruments/add/")
    expect(page.get_by_label("Registry")).to_be_visible()

    page.get_by_label("Type").select_option("contract")

    expect(page.get_by_label("Registry")).to_be_hidden()


def test_an_operator_enters_a_reading_and_mends_it(signed_in, site):
    tab = signed_in()
    page = tab.open("/settings/sites/berlin/")
    month = f"{site.last_day:%Y-%m}"

    page.get_by_label("Month").fill(month)
    page.get_by_label("Facility, kWh").fill("1300")
    page.get_by_label("IT, kWh").fill("1400")
    page.get_by_label("Source").fill("meter UV-1")
    page.get_by_role("button", name="Add the meter reading").click()
    expect(page.get_by_role("alert")).to_contain_text("PUE below 1")
    assert all("400" in complaint for complaint in tab.complaints)  # the refusal itself
    tab.complaints.clear()
    page.get_by_label("IT, kWh").fill("1000")
    page.get_by_role("button", name="Add the meter reading").click()

    expect(page.get_by_role("status").first).to_contain_text("in the register")
    expect(page.locator("#months tbody tr").last).to_contain_text("1.300")
    page.goto(f"{site.base}/bookings/")
    expect(page.get_by_role("row", name="plus hardware bought")).to_contain_text("+3.8")  # 8 x 164 + 2,500 kg
    assert tab.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_new_source_listens_until_its_first_record_is_understood(signed_in, site, theme):
    tab = signed_in(theme=theme)
    page = tab.open("/sources/add/")

    page.get_by_role("link", name=re.compile("Canonical records")).click()
    page.get_by_label("Name", exact=True).fill("Own scripts")
    page.get_by_role("button", name="Make the source").click()
    expect(page.get_by_text("Waiting for the first record")).to_be_visible()
    page.get_by_role("button", name="Send a test record").click()
    expect(page.get_by_text("Sent (202)")).to_be_visible()
    drain(site.organization.id)

    expect(page.get_by_text("Its first record:")).to_be_visible()
    assert tab.violations() == []
    page.get_by_role("link", name="To the source").click()
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    page.get_by_text("How it is read and watched").click()
    page.get_by_text("Delete a period of this source").click()
    assert tab.violations() == []
    for width in ("phone", "narrow"):
        page.set_viewport_size({"width": WIDTHS[width], "height": HEIGHT})
        assert tab.overflow() <= 0
    assert tab.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_and_quiet(signed_in, theme):
    tab = signed_in(theme=theme)
    found = {}

    for address in PAGES:
        page = tab.open(address)
        problems = [str(one) for one in tab.violations()]
        for name in ("phone", "narrow"):
            page.set_viewport_size({"width": WIDTHS[name], "height": HEIGHT})
            if tab.overflow() > 0:
                problems.append(f"{name}: scrolls sideways by {tab.overflow()} px")
        problems += [f"narrow: {one}" for one in tab.violations()]
        page.set_viewport_size({"width": WIDTHS["laptop"], "height": HEIGHT})
        if problems or tab.complaints:
            found[address] = [*problems, *tab.complaints]
        tab.complaints.clear()

    assert found == {}


def test_a_phone_shows_its_tables_whole(signed_in):
    tab = signed_in(width="phone")
    sideways = "[...document.querySelectorAll('.table-wrap')].map(one => one.scrollWidth - one.clientWidth)"

    found = {
        address: tab.open(address).evaluate(sideways)
        for address in ("/requests/", "/runs/", "/factors/instruments/", "/settings/sites/berlin/")
    }

    assert all(len(pixels) > 0 for pixels in found.values())
    assert [address for address, pixels in found.items() if max(pixels) > 0] == []


def test_the_sign_in_page_is_accessible(browser, site):
    for theme in ("light", "dark"):
        tab = Tab(new_context(browser, theme=theme, width="narrow").new_page(), site.base)

        tab.open("/accounts/login/")

        assert tab.violations() == []
        assert tab.overflow() <= 0
        assert tab.complaints == []


def test_the_theme_that_was_chosen_stays(signed_in):
    page = signed_in().open("/")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.get_by_role("button", name="Light or dark").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()

    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(18, 24, 27)")  # the ground of interface.md 7
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


def test_everything_can_be_done_with_the_keyboard(browser, site):
    tab = Tab(new_context(browser).new_page(), site.base)
    page = tab.page
    page.goto(f"{site.base}/accounts/login/")
    page.get_by_label("Email").focus()
    page.keyboard.type("ada@example.org")
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse battery")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Overview")).to_be_visible()
    page.wait_for_load_state("networkidle")
    tab.settle()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()

    page.locator(".slots").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".readout")).to_contain_text("Inference")

    page.locator(".readout").evaluate("() => document.activeElement.blur()")
    page.keyboard.press("e")
    expect(page.get_by_role("dialog", name="Why this number")).to_be_visible()
    page.keyboard.press("Escape")

    page.keyboard.press("f")
    expect(page.get_by_role("searchbox", name="Search in Team")).to_be_focused()
    page.keyboard.type("assi")
    expect(page.get_by_role("checkbox")).to_have_count(1)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("team=Assistants"))
    expect(page.get_by_role("link", name="Team: Assistants remove")).to_be_visible()

    page.keyboard.press("x")
    expect(page).to_have_url(re.compile("cmp=none"))
    page.keyboard.press("b")
    expect(page).to_have_url(re.compile("basis=market"))
    page.keyboard.press("[")
    expect(page.locator(".steps-of-period")).not_to_contain_text("vs")
    expect(page).to_have_url(re.compile(r"period=\d{4}-Q\d"))
    page.keyboard.press("]")
    expect(page.get_by_role("link", name="Team: Assistants remove")).to_be_visible()

    page.keyboard.press("g")
    page.keyboard.press("m")
    expect(page.get_by_role("heading", level=1)).to_have_text("Models")

    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    assert tab.complaints == []


def test_escape_dismisses_a_definition_and_then_the_drawer(signed_in):
    page = signed_in().open("/")
    page.keyboard.press("e")
    drawer = page.get_by_role("dialog", name="Why this number")
    term = drawer.locator("a.term").first
    shown = "one => getComputedStyle(one, '::after').content !== 'none'"
    expect(term).to_be_visible()
    page.keyboard.press("Shift+Tab")  # the focus came by the keyboard
    term.focus()
    assert term.evaluate(shown)

    page.keyboard.press("Escape")
    assert not term.evaluate(shown)
    expect(drawer).to_be_visible()
    page.keyboard.press("Escape")

    expect(drawer).to_be_hidden()


def test_a_key_in_the_frame_that_closes_the_drawer_counts(signed_in):
    page = signed_in().open("/")
    page.keyboard.press("e")
    expect(page.get_by_role("dialog", name="Why this number")).to_be_visible()

    page.evaluate("""() => {
        document.getElementById("drawer").close();
        document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "f", bubbles: true}));
    }""")

    expect(page.locator(".filter[open]")).to_have_count(1)


def test_an_address_of_nobody_says_so(signed_in):
    tab = signed_in()

    answer = tab.page.goto(f"{tab.base}/nothing/")

    assert answer.status == 404
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("Not found")
    assert tab.violations() == []


def test_the_first_visit_to_a_page_with_charts_stays_small(browser, site):
    tab = Tab(new_context(browser).new_page(), site.base)
    tab.sign_in("ada@example.org", "correct horse battery")

    html = tab.page.context.request.get(f"{site.base}/").body()

    assert len(html) < 60_000  # interface.md 11
