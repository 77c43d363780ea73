"""An inventory as PDF and as workbook: every figure is in both, the same bytes each time, small and large alike."""

from __future__ import annotations

import copy
import io
import json
import re
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from django.utils import timezone, translation

from reporting.disclosures import workbook
from reporting.disclosures.datapoint_map import STANDARDS
from reporting.inventories import report_pdf
from reporting.inventories.documents import handed, render

pytestmark = pytest.mark.slow

SAMPLE = Path(__file__).resolve().parents[2] / "payloads" / "disclosures" / "inventory.sample.json"


@pytest.fixture
def sample():
    """A constructed inventory that uses every part of the schema."""
    return json.loads(SAMPLE.read_text())


def pdf_of(inventory, language="en"):
    (content,) = render(report_pdf.NAME, inventory, language).values()
    return content


def text_of(content, folder):
    path = folder / "report.pdf"
    path.write_bytes(content)
    done = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


def book_of(inventory):
    (content,) = render(workbook.NAME, inventory).values()
    return openpyxl.load_workbook(io.BytesIO(content))


def rows_of(book, sheet):
    rows = [[cell.value for cell in row] for row in book[sheet].iter_rows()]
    start = next(at for at, row in enumerate(rows) if row[0] in ("code", "datapoint", "paragraph") or "value" in row)
    return [dict(zip(rows[start], row, strict=True)) for row in rows[start + 1 :]]


def scaled(inventory, factor):
    """Multiply every figure of the totals and lines by a power of ten."""
    changed = copy.deepcopy(inventory)
    for name in ("scope1", "scope2_location", "scope2_market", "scope3", "total_location", "total_market"):
        changed["totals"][name] = format(Decimal(changed["totals"][name]) * factor, "f")
    for line in changed["emissions"]:
        line["tco2e"] = format(Decimal(line["tco2e"]) * factor, "f")
    return changed


# --- PDF --------------------------------------------------------------------------------------------------------------


def test_the_pdf_says_every_figure_and_what_stands_for_it(sample, tmp_path):
    text = text_of(pdf_of(sample), tmp_path)

    # as the sample states them
    for figure in ("2,520", "1,920", "1,500", "2,500", "4,100", "820", "18.3", "2,710", "2,690", "1,200", "210"):
        assert figure in text
    for words in (
        "Acme AI",
        "FY2026",
        "do not add it to that inventory",
        "Scope 3 category 1, cloud computing and data centre services",  # the line that contains it
        "employee laptops",
        "grid factor corrected",
        "Halve per-token emissions",
        "publisher errata",
        sample["evidence"]["sha256"],
    ):
        assert words in " ".join(text.split())


def test_the_pdf_is_tagged_archivable_and_holds_the_inventory(sample, tmp_path):
    content = pdf_of(sample)
    path = tmp_path / "report.pdf"
    path.write_bytes(content)

    about = subprocess.run(["pdfinfo", path], capture_output=True, text=True, check=True).stdout
    subprocess.run(["pdfdetach", "-saveall", "-o", tmp_path, path], check=True, capture_output=True)

    assert re.search(r"Tagged:\s+yes", about)
    assert "Acme AI: Greenhouse gas emissions of AI activities, FY2026" in about
    assert b"<pdfuaid:part>1</pdfuaid:part>" in content
    assert json.loads((tmp_path / "inventory.json").read_text()) == sample


def test_it_is_the_same_file_for_every_reader_and_another_in_german(sample, tmp_path):
    with translation.override("de"), timezone.override("Pacific/Auckland"):
        abroad = pdf_of(sample)

    german = text_of(pdf_of(sample, "de"), tmp_path)
    assert abroad == pdf_of(sample)
    assert "Treibhausgasemissionen von KI-" in german
    assert "2.520" in german


@pytest.mark.parametrize(("factor", "said"), [(Decimal("1e-15"), "< 0.001 t CO₂e"), (Decimal("1e6"), "2,520,000,000")])
def test_nanograms_are_not_zero_and_megatonnes_have_every_digit(sample, factor, said, tmp_path):
    assert said in text_of(pdf_of(scaled(sample, factor)), tmp_path)


def test_nothing_is_run_that_a_name_says(sample, tmp_path):
    name = '#panic("x") =1+1 <script>'
    sample["entity"]["name"] = sample["boundary"]["sites"][0]["name"] = name

    assert name in text_of(pdf_of(sample), tmp_path)
    cells = [cell for sheet in book_of(sample) for row in sheet.iter_rows() for cell in row]
    assert any(name in str(cell.value) for cell in cells)
    assert all(cell.data_type != "f" for cell in cells)


# --- workbook ---------------------------------------------------------------------------------------------------------


def test_the_workbook_answers_each_standard_with_the_figure_or_why_not(sample):
    book = book_of(sample)

    assert "a part of the entity's inventory" in book.properties.subject
    assert "do not add it to that inventory" in " ".join(
        str(cell.value) for row in book.worksheets[0].iter_rows() for cell in row if cell.value
    )
    for standard in STANDARDS:
        for row in rows_of(book, standard.name):
            assert row["value"] is not None, row
    gri = {row["name"]: row for row in rows_of(book, next(each.name for each in STANDARDS if each.key == "gri"))}
    assert gri["Total energy consumption within the organization"]["value"] == 9000  # 2,500 MWh, 3.6 GJ each
    assert str(gri["Energy sold"]["value"]).startswith("omitted because the inventory holds what was consumed")
    sb253 = rows_of(book, next(each.name for each in STANDARDS if each.key == "sb253"))
    assert [row["value"] for row in sb253[:4]] == [120, 900, 300, 1500]
    assert "Scope 2, location-based" in str(sb253[1]["corporate line"])


def test_the_workbook_has_the_same_bytes_each_time(sample):
    with translation.override("de"):
        abroad = render(workbook.NAME, sample)

    assert abroad == render(workbook.NAME, sample)


@pytest.mark.parametrize("factor", [Decimal("1e-15"), Decimal("1e6")])
def test_the_workbook_holds_nanograms_and_megatonnes_as_numbers(sample, factor):
    sheet = rows_of(book_of(scaled(sample, factor)), next(each.name for each in STANDARDS if each.key == "sb253"))

    assert [row["value"] for row in sheet[:4]] == pytest.approx(
        [120 * float(factor), 900 * float(factor), 300 * float(factor), 1500 * float(factor)], rel=1e-12
    )


def test_libreoffice_reads_the_workbook(sample, tmp_path):
    if shutil.which("soffice") is None:
        pytest.fail("soffice is missing: apt-get install libreoffice-calc")
    (tmp_path / "report.xlsx").write_bytes(render(workbook.NAME, sample)[workbook.FILE])
    office = f"-env:UserInstallation=file://{tmp_path}/office"
    form = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"  # every sheet, a file each

    subprocess.run(
        ["soffice", "--headless", office, "--convert-to", form, "report.xlsx"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=180,
    )

    files = {path.name: path.read_text() for path in tmp_path.glob("report-*.csv")}
    assert len(files) == len(openpyxl.load_workbook(tmp_path / "report.xlsx").sheetnames)
    assert re.search(r"Gross scope 3 emissions,1500", "".join(files.values()))


def test_what_is_handed_over_names_its_kind():
    one = handed({"report.pdf": b"%PDF"}, "2026-Q3")
    several = handed({"csv/a.csv": b"1", "csv/b.csv": b"2"}, "2026-Q3")

    assert (one.filename, one.content_type) == ("2026-Q3-report.pdf", "application/pdf")
    assert (several.filename, several.content_type) == ("2026-Q3.zip", "application/zip")
    assert several == handed({"csv/b.csv": b"2", "csv/a.csv": b"1"}, "2026-Q3")
