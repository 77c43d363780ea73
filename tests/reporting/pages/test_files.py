"""Tables as files: a workbook says what the CSV says, what its figures are of, and runs nothing."""

import csv
import io
from datetime import UTC, datetime, timedelta

import openpyxl
import pytest

from core.organizations.tenancy import organization_scope
from reporting.models import ShortLink
from reporting.pages import request_files
from tests.deliver import deliver, metered
from tests.people import sign_in

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

HOSTILE = '=HYPERLINK("http://evil.example","click")'
DAY = datetime.now(UTC).date() - timedelta(days=2)  # the ids of records expire
LATELY = {"from": f"{DAY}", "to": f"{DAY}"}
DE_KG_PER_KWH = 0.329 + 0.0346  # Germany: EEA 2023, and upstream by Ember 2026


@pytest.fixture
def page(client, organization):
    times = {"started_at": f"{DAY}T10:00:00Z", "ended_at": f"{DAY}T11:00:00Z"}
    deliver(
        organization,
        [
            metered("one", 1.0, team=HOSTILE, model="+model", run="r1", requests=10, **times),
            metered("two", 3.0, team="vision", requests=2, **times),
        ],
    )
    return sign_in(client, organization)


def body_of(response):
    return b"".join(response.streaming_content) if response.streaming else response.content


def read(page, address, asked):
    """Read both files of an address: the CSV's lines, and the workbook."""
    as_csv = body_of(page.get(address, asked | {"format": "csv"})).decode()
    as_xlsx = page.get(address, asked | {"format": "xlsx"})
    assert as_xlsx["Content-Disposition"].endswith('.xlsx"')
    return list(csv.reader(io.StringIO(as_csv))), openpyxl.load_workbook(io.BytesIO(body_of(as_xlsx)))


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("/", {"tab": "trend"}),
        ("/", {"tab": "team"}),
        ("/teams/", {}),
        ("/models/", {}),
        ("/requests/", {}),
        ("/requests/", {"sort": "-kg"}),
        ("/requests/spread/", {}),
        ("/runs/", {}),
        ("/runs/r1/", {}),
        ("/providers/", {}),
        ("/changes/", {}),
        ("/bookings/", {}),
        ("/quality/completeness/", {}),
        ("/factors/", {}),
    ],
)
def test_a_workbook_holds_what_the_csv_holds(page, address, asked):
    lines, workbook = read(page, address, LATELY | asked if address != "/factors/" else {"table": "seats"})
    sheet = workbook["table"]

    assert [cell.value for cell in sheet[1]] == lines[0]
    assert sheet.max_row == len(lines)
    for row, line in zip(sheet.iter_rows(min_row=2), lines[1:], strict=True):
        for cell, text in zip(row, line, strict=True):
            if cell.data_type == "n" and cell.value is not None:
                assert cell.value == pytest.approx(float(text), rel=1e-15, abs=0)  # workbooks keep 16 digits
            else:
                assert (cell.value or "") == text.removeprefix("'")


def test_names_are_text_and_nothing_is_a_formula(page):
    _lines, workbook = read(page, "/teams/", LATELY)
    cells = [cell for row in workbook["table"].iter_rows() for cell in row]

    assert {cell.data_type for cell in cells} <= {"s", "n"}  # "f" would be a formula
    assert HOSTILE in [cell.value for cell in cells]
    assert not any(cell.hyperlink for cell in cells)


def test_a_workbook_says_what_its_figures_are_of(page, organization):
    _lines, workbook = read(page, "/teams/", LATELY | {"team": "vision", "include": "none"})
    said = {name.value: text.value for name, text in workbook["about"].iter_rows()}

    assert said["Organization"] == organization.name
    assert said["Period"] == f"{DAY} to {DAY}, UTC"
    assert (said["Basis"], said["Parts"], said["team"]) == ("location", "none", "vision")
    assert said["Methodology"]
    assert said["Factor set"]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(said["Figures as of"])) < timedelta(minutes=5)
    assert "/teams/?" in said["Address"]


def test_a_workbook_as_of_a_link_says_as_of_when(page, organization):
    page.post("/filters/link/", LATELY | {"at": "/teams/", "pin": "1"})
    with organization_scope(organization.id):
        link = ShortLink.objects.get()
    _lines, workbook = read(page, "/teams/", LATELY | {"as_of": link.key})
    said = {name.value: text.value for name, text in workbook["about"].iter_rows()}

    assert datetime.fromisoformat(said["Figures as of"]) == link.watermark_at


def test_a_list_too_long_for_a_workbook_is_offered_as_csv(page, monkeypatch):
    monkeypatch.setattr(request_files, "MOST_IN_WORKBOOK", 1)
    monkeypatch.setattr("reporting.pages.requests.MOST_IN_WORKBOOK", 1)

    answer = page.get("/requests/", LATELY | {"format": "xlsx"}, follow=True).content.decode()

    assert "A workbook holds up to 1 records: take the list as CSV." in answer
    assert "format=csv" in answer
    assert (
        "format=xlsx&amp;"
        not in answer.partition('id="list-title"')[0].partition("<main")[2].partition("data-chart")[0]
    )


def test_figures_of_a_workbook_are_numbers_in_full(page):
    _lines, workbook = read(page, "/teams/", LATELY)
    header, *rows = workbook["table"].iter_rows(values_only=True)
    kg = {row[header.index("team")]: row[header.index("total_kg_co2e")] for row in rows}

    assert kg["vision"] == pytest.approx(3 * DE_KG_PER_KWH)
