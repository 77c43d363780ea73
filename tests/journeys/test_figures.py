"""Figures, charts and filters in a real browser, with scripts and without."""

import pytest
from playwright.sync_api import expect

from tests.journeys.reading import figure

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_figures_can_be_read_without_scripts(signed_in):
    page = signed_in(java_script_enabled=False).page

    assert figure(page.locator(".kpi.lead .value").inner_text()) == (3.64, "t")
    expect(page.locator(".plot-static svg").first).to_be_visible()
    page.locator("summary", has_text="Table").first.click()
    expect(page.get_by_role("table").first).to_contain_text("Inference")


def test_a_chart_is_read_by_keys_opened_as_a_table_and_saved_as_a_picture(signed_in):
    tab = signed_in()
    page = tab.open("/bookings/")
    card = page.locator("[data-chart=bridge]")

    card.get_by_role("listbox").press("ArrowRight")
    expect(card.locator(".readout")).to_contain_text("Operations and life cycle: 3.636")
    expect(card.locator(".hovertext")).to_be_visible()
    card.get_by_role("button", name="Table").click()
    expect(card.get_by_role("table")).to_contain_text("As disclosed")
    with page.expect_download() as saved:
        card.get_by_role("button", name="PNG").click()

    picture = saved.value.path().read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20], "big") == 2000  # 1000 px at twice the size
    assert tab.complaints == []


def test_filters_can_be_chosen_without_scripts(signed_in):
    page = signed_in(java_script_enabled=False).page

    page.locator("details[data-filter=team] > summary").click()
    page.get_by_role("link", name="Choose").first.click()
    page.get_by_role("checkbox", name="Search").check()
    page.get_by_role("button", name="Show").click()

    expect(page.get_by_role("link", name="Team: Search remove")).to_be_visible()
    assert figure(page.locator(".kpi.lead .value").inner_text()) == (2.18, "t")  # 6,000 kWh x 363.6 g


def test_a_link_as_of_now_is_made_in_the_menu_and_leads_to_the_same_figures(signed_in):
    tab = signed_in()
    page = tab.open("/teams/?team=Search")
    page.get_by_text("Save or link").click()
    page.get_by_label("as of now").check()
    page.get_by_role("button", name="Make a short link").click()
    link = page.get_by_label("Link to these figures as they are now").input_value()

    page.goto(link)

    expect(page.locator(".banner")).to_contain_text("Figures as of")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert tab.complaints == []


def test_an_open_period_is_called_provisional_and_hatched(signed_in):
    page = signed_in().open("/?period=last-365d")

    expect(page.locator(".page-head")).to_contain_text("provisional")
    page.emulate_media(media="print")
    expect(page.locator(".nav")).to_be_hidden()
    expect(page.locator(".plot-static svg").first).to_be_visible()
    assert page.locator(".plot-static .hatch-line, .plot-static pattern").count() > 0
