"""Pages in German: their texts, numbers and dates; and what never changes with the reader: the API, files and addresses."""

from __future__ import annotations

import re
from datetime import date
from html import unescape

import pytest
from django.utils import translation
from django.utils.formats import date_format

from core.organizations import services
from core.organizations.models import Person
from reporting import figures
from tests.deliver import deliver, metered
from tests.locale.test_catalogues import catalogue

GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}
PERIOD = {"period": "2026-Q3", "include": "none"}
AS_STORED = {"requests", "organization"}  # units of factors, and kinds of the audit log: names that are not prose
PAGES = [
    "/",
    "/teams/",
    "/models/",
    "/providers/",
    "/requests/",
    "/runs/",
    "/changes/",
    "/bookings/",
    "/intensity/",
    "/explain/",
    "/targets/",
    "/disclosures/",
    "/factors/",
    "/factors/own/",
    "/factors/instruments/",
    "/factors/restatements/",
    "/audit/",
    "/jobs/",
    "/sources/",
    "/sources/add/",
    "/sources/import/",
    "/quality/",
    "/quality/units/",
    "/quality/completeness/",
    "/settings/",
    "/settings/attribution/",
    "/settings/attribution/add/",
    "/settings/bill-rules/",
    "/settings/privacy/",
    "/settings/sites/",
    "/system/",
    "/search/",
]


@pytest.fixture
def owner(client, organization):
    """An owner over 12,345.67 kWh of two teams in Germany, whose grid is at 329.0 g/kWh (EEA, 2023): 4,061.7 kg."""
    delivered = deliver(
        organization,
        [
            metered("a", 10_000.0, team="suche", model="atlas", requests=1_234_567),
            metered("b", 2_345.67, team="bilder", model="atlas", stage="training", run="b/1"),
        ],
    )
    assert delivered.counts["written"] == 2
    person = Person.objects.create_user("owner@example.org", "correct horse battery")
    services.add_member(organization_id=organization.id, person=person, role="owner")
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def seen(page: str) -> list[str]:
    """Give the texts of a page one by one, and what is read out of its attributes."""
    page = re.sub(r"(?s)<(script|style|code|pre)\b.*?</\1>", "", page)
    texts = re.findall(r">([^<>]+)<", page) + re.findall(r'(?:title|aria-label|placeholder)="([^"]+)"', page)
    return [" ".join(unescape(text).split()) for text in texts if text.strip()]


def test_numbers_are_those_of_the_language() -> None:
    with figures.written_in("de"):
        assert figures.quantity(1_234_567, "mass", digits=5) == "1.234,6\u202ft"
        assert figures.count(1_204) == "1.204"
        assert figures.percent(0.0083) == "0,8\u202f%"
        assert figures.money(12_345.6, "EUR") == "12.346\u00a0€"
        assert figures.grouped("-1,234.5") == "\u22121.234,5"
    assert figures.count(1_204) == "1,204"


def test_dates_are_those_of_the_language() -> None:
    day = date(2026, 11, 26)

    with translation.override("de"):
        assert date_format(day, "SHORT_DATE_FORMAT") == "26.11.2026"
        assert date_format(day, "DATE_FORMAT") == "26. Nov. 2026"
    with translation.override("en"):
        assert date_format(day, "SHORT_DATE_FORMAT") == "2026-11-26"
        assert date_format(day, "DATE_FORMAT") == "26 Nov 2026"


@pytest.mark.slow
@pytest.mark.usefixtures("committed_db")
def test_no_page_says_in_english_what_the_catalogue_has_in_german(owner) -> None:
    english = {
        entry.msgid: entry.msgstr
        for entry in catalogue("de")
        if len(entry.msgid) > 3 and not entry.msgid_plural and entry.msgstr != entry.msgid
    }
    german = {entry.msgstr for entry in catalogue("de")}

    for path in PAGES:
        answer = owner.get(path, PERIOD, headers=GERMAN)
        page = answer.content.decode()
        assert answer.status_code == 200, path
        assert '<html lang="de">' in page
        assert answer["Content-Language"] == "de"
        left = {text for text in seen(page) if text in english and text not in german} - AS_STORED
        assert left == set(), path
        assert "Einstellungen" in seen(page)
        # a decimal comma in a picture or a field would break it
        assert re.findall(r'\b(?:x|y|width|height|points|d|value|min|max|step)="\d+,\d+"', page) == [], path


@pytest.mark.slow
@pytest.mark.usefixtures("committed_db")
def test_figures_of_a_page_are_written_in_its_language(owner) -> None:
    german, english = (
        " ".join(seen(owner.get("/", PERIOD, headers=headers).content.decode())) for headers in (GERMAN, {})
    )

    assert "4,06 t" in german
    assert "4.06 t" in english
    assert "1,23 Mio. Anfragen" in german
    assert "KI-Emissionen, standortbasiert" in german


@pytest.mark.slow
@pytest.mark.usefixtures("committed_db")
def test_files_and_the_api_do_not_change_with_the_reader(owner) -> None:
    for path, params in [
        ("/api/v1/emissions", {**PERIOD, "by": "team"}),
        ("/api/v1/emissions", {"period": "nonsense"}),
        ("/api/v1/explain", PERIOD),
        ("/teams/", {**PERIOD, "format": "csv"}),
        ("/", {**PERIOD, "format": "csv", "tab": "trend"}),
        ("/requests/", {**PERIOD, "format": "csv"}),
    ]:
        english, german = owner.get(path, params), owner.get(path, params, headers=GERMAN)

        bodies = [re.sub(rb'"as_of":"[^"]*"', b"", answer.getvalue()) for answer in (english, german)]
        assert bodies[0] == bodies[1], path
        assert german["Content-Language"] == "en"


@pytest.mark.slow
@pytest.mark.usefixtures("committed_db")
def test_a_chosen_language_goes_before_the_browser_s(owner) -> None:
    assert '<html lang="en">' in owner.get("/teams/").content.decode()

    answer = owner.post("/language/", {"language": "de", "next": "/teams/?period=2026-Q3"})

    assert answer["Location"] == "/teams/?period=2026-Q3"
    assert '<html lang="de">' in owner.get("/teams/").content.decode()
    away = owner.post("/language/", {"language": "de", "next": "https://elsewhere.example/"})
    assert away["Location"] == "/"


@pytest.mark.slow
@pytest.mark.usefixtures("committed_db")
def test_a_date_field_holds_what_a_browser_takes(owner) -> None:
    page = owner.get("/targets/", headers=GERMAN).content.decode()

    for value in re.findall(r'<input type="date"[^>]*\bvalue="([^"]+)"', page):
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", value)
