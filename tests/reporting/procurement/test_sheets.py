"""Sheets that go out and come back: nothing is lost, everything that cannot be is refused with its row."""

import io
import shutil
import subprocess
import zipfile
from datetime import date

import openpyxl
import pytest

from reporting.procurement.answers import ProcurementError
from reporting.procurement.metrics import METRICS
from reporting.procurement.sheets import PRICES, QUESTIONS, questionnaire, read_prices, read_questionnaire

DAY = date(2026, 11, 1)


def sent():
    return questionnaire("Northwind AI", "Amazon Web Services", DAY)


def answered(*rows, prices=()):
    """Fill the questionnaire in as somebody with a spreadsheet would."""
    book = openpyxl.load_workbook(io.BytesIO(sent()))
    sheet = book[QUESTIONS]
    head = [each.value for each in sheet[1]]
    at = {sheet.cell(row, 1).value: row for row in range(2, sheet.max_row + 1)}
    for row in rows:
        for name, value in row.items():
            if name != "key":
                sheet.cell(at[row["key"]], head.index(name) + 1, value)
    for line, (price, currency) in enumerate(prices, start=2):
        book[PRICES].cell(line, 3, price)
        book[PRICES].cell(line, 4, currency)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_the_questionnaire_asks_for_everything_that_a_dossier_holds():
    sheet = openpyxl.load_workbook(io.BytesIO(sent()))[QUESTIONS]

    assert [sheet.cell(row, 1).value for row in range(2, sheet.max_row + 1)] == list(METRICS)
    assert sent() == sent()


def test_answers_come_back_as_they_were_given():
    content = answered(
        {
            "key": "pue",
            "answer": 1.12,
            "boundary": "site Stockholm",
            "document": "Report",
            "document_date": date(2026, 5, 1),
        },
        {"key": "certification", "answer": "ISO 14001", "expires_on": "2028-01-31", "note": "=1+1"},
        prices=[(0.99, "EUR"), (0.1, "EUR")],
    )

    found = read_questionnaire(content)

    pue, certificate = found.claims
    assert (pue.metric, pue.value, pue.boundary, pue.document_date) == ("pue", 1.12, "site Stockholm", date(2026, 5, 1))
    assert (certificate.text, certificate.expires_on, certificate.grade) == ("ISO 14001", date(2028, 1, 31), "stated")
    assert [(each.unit, each.per, each.price) for each in found.prices] == [
        ("input_tokens", 1e6, 0.99),
        ("cached_input_tokens", 1e6, 0.1),
    ]
    assert read_prices(content) == found.prices


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"key": "pue", "answer": 0.5}, "Questions row 2.value"),
        ({"key": "wue", "answer": "little"}, "Questions row 3.value"),
        ({"key": "pue", "answer": 1.1, "expires_on": "soon"}, "Questions row 2.expires_on"),
    ],
)
def test_an_answer_that_cannot_be_is_refused_with_its_row(row, field):
    with pytest.raises(ProcurementError) as refused:
        read_questionnaire(answered(row))

    assert refused.value.field == field


def bomb():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", b"0" * 60_000_000)
    return out.getvalue()


def empty():
    out = io.BytesIO()
    openpyxl.Workbook().save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no workbook"),
        (b"PK\x03\x04 no zip", "no workbook"),
        (bomb(), "too large"),
        (empty(), "no sheet 'Questions'"),
        (b"x" * 2_000_001, "at most"),
        (sent(), "No question is answered"),
    ],
    ids=["nothing", "no zip", "bomb", "another book", "large", "blank"],
)
def test_files_that_are_no_answer_are_refused(content, said):
    with pytest.raises(ProcurementError, match=said):
        read_questionnaire(content)


@pytest.mark.parametrize(
    ("content", "prices"),
    [
        (b"unit,per,price,currency\noutput_tokens,1000000,10,USD\n", [("output_tokens", 1e6, 10.0, "USD")]),
        (b"\xef\xbb\xbfcurrency;price;unit\nEUR;3;requests\n\n", [("requests", 1e3, 3.0, "EUR")]),
    ],
)
def test_price_sheets_are_read_as_csv(content, prices):
    assert [(each.unit, each.per, each.price, each.currency) for each in read_prices(content)] == prices


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"what,price\nx,1\n", "file"),
        (b"\xff\xfe\x00", "file"),
        (b"unit,price,currency\n", "file"),
        (b"unit,price,currency\nrequests,cheap,EUR\n", "prices.1.price"),
    ],
)
def test_price_sheets_that_cannot_be_are_refused(content, field):
    with pytest.raises(ProcurementError) as refused:
        read_prices(content)

    assert refused.value.field == field


@pytest.mark.slow
def test_libreoffice_opens_the_questionnaire_and_gives_it_back_unchanged(tmp_path):
    if shutil.which("soffice") is None:
        pytest.fail("soffice is missing: apt-get install libreoffice-calc")
    content = answered({"key": "pue", "answer": 1.12, "document_date": "2026-05-01"}, prices=[(2.5, "USD")])
    (tmp_path / "sent.xlsx").write_bytes(content)

    subprocess.run(
        [
            "soffice",
            "--headless",
            f"-env:UserInstallation=file://{tmp_path}/office",
            "--convert-to",
            "xlsx:Calc MS Excel 2007 XML",
            "--outdir",
            "back",
            "sent.xlsx",
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=180,
    )

    assert read_questionnaire((tmp_path / "back" / "sent.xlsx").read_bytes()) == read_questionnaire(content)
