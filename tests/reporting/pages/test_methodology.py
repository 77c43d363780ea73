"""The handbook in the product: every page answers, leads somewhere, and is reached from the figures it explains."""

from __future__ import annotations

import re
from urllib.parse import urldefrag

import pytest

from core.organizations.models import Role
from core.organizations.services import add_member
from reporting.handbook.contents import entries, parse_contents
from tests.deliver import deliver, metered

JULY = {"from": "2026-07-01", "to": "2026-07-31"}


@pytest.fixture
def page(client, organization, person):
    add_member(organization_id=organization.id, person=person, role=Role.MEMBER)
    client.force_login(person)
    return client


def article(answer):
    return re.search(r"<article.*?</article>", answer.content.decode(), re.DOTALL)[0]


def links(html):
    return {urldefrag(address)[0] for address in re.findall(r'href="(/[^"]*)"', html)}


@pytest.mark.django_db
def test_every_page_answers_and_every_link_of_its_text_leads_to_one(page):
    shown = {name: page.get(f"/methodology/{name}/") for name in entries()}
    shown[""] = page.get("/methodology/")
    known = {f"/methodology/{name}/" if name else "/methodology/" for name in shown}

    assert {answer.status_code for answer in shown.values()} == {200}
    assert known <= links(shown[""].content.decode())
    assert {
        name: links(article(answer)) - known for name, answer in shown.items() if links(article(answer)) - known
    } == {}


@pytest.mark.django_db
def test_a_page_stands_between_its_neighbours(page):
    names = list(entries())

    html = page.get(f"/methodology/{names[1]}/").content.decode()

    assert re.search(
        rf'rel="prev"[^>]*href="/methodology/{names[0]}/"|href="/methodology/{names[0]}/"[^>]*rel="prev"', html
    )
    assert re.search(rf'rel="next"[^>]*href="/methodology/{names[2]}/"', html)
    assert re.search(rf'href="/methodology/{names[1]}/" aria-current="page"', html)
    assert 'rel="prev"' not in page.get(f"/methodology/{names[0]}/").content.decode()
    assert 'rel="next"' not in page.get(f"/methodology/{names[-1]}/").content.decode()


@pytest.mark.django_db
def test_a_worked_example_is_shown_as_steps(page):
    text = re.sub(r"<[^>]+>", " ", article(page.get("/methodology/device/")))

    assert "hours_energy_kwh(unit_hours=8 * 100, watts=84)" in text
    assert re.search(r"301.8557 kg CO\s+2\s+e", text)
    assert "Expected values: hand calculation" in text


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["README", "nothing", "..%2F..%2Fpyproject"])
def test_a_page_that_is_not_in_the_contents_is_not_there(page, name):
    assert page.get(f"/methodology/{name}/").status_code == 404


@pytest.mark.usefixtures("committed_db")
def test_each_formula_of_an_explanation_links_to_its_page(client, organization, person):
    deliver(organization, [metered("one", 500.0, zone="DE", energy_boundary="device")])
    add_member(organization_id=organization.id, person=person, role=Role.OWNER)
    client.force_login(person)

    html = client.get("/explain/", JULY).content.decode()

    for name in ("measured", "location", "upstream", "pue", "boundaries"):
        assert f'href="/methodology/{name}/"' in html, name
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>', html)
    assert rows
    assert [row for row in rows if "/methodology/" not in row] == []
    notes = re.findall(r"<li>([^<]*)<a class=\"term\" href=\"/methodology/([a-z-]+)/", html)
    assert {name for text, name in notes if "PUE is not known" in text} == {"pue"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "help_address"),
    [
        ("/", "/methodology/"),
        ("/targets/", "/methodology/targets/"),
        ("/sources/", "/api/docs/"),
        ("/methodology/pue/", "/methodology/"),
    ],
)
def test_help_opens_what_belongs_to_the_page(client, organization, person, address, help_address):
    add_member(organization_id=organization.id, person=person, role=Role.OWNER)
    client.force_login(person)

    html = client.get(address).content.decode()

    assert re.search(r'<a href="([^"]+)">\s*<svg[^>]*>\s*<use href="[^"]*#circle-help"', html)[1] == help_address


def test_headings_without_pages_are_no_groups():
    groups = parse_contents("## One\n\n- [A](a.md): First.\n\n## Rules\n\n- no page\n")

    assert [(group.title, [entry.name for entry in group.entries]) for group in groups] == [("One", ["a"])]
