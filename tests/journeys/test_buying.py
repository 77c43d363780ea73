"""Whom to buy from, in a real browser: three offers, weights that turn the order, and the files of the tender read back."""

import io
import json
import re
import subprocess

import openpyxl
import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]

OFFERS = [
    ("Stockholm", "aws", "eu-north-1", 9.9),
    ("Eemshaven", "gcp", "europe-west4", 7.2),
    ("Virginia", "azure", "eastus", 5.2),
]
MODEL = "meta-llama/Meta-Llama-3.1-70B-Instruct"


def test_a_buyer_compares_turns_the_order_freezes_and_hands_over(signed_in, tmp_path):
    tab = signed_in()
    page = tab.open("/providers/")
    page.get_by_role("link", name="Evaluations").click()
    page.get_by_role("link", name="Add an evaluation").first.click()
    page.get_by_role("link", name="tender 60/40").click()
    page.get_by_label("Name").fill("Chat")
    page.get_by_role("button", name="Save and show").click()
    expect(page.get_by_role("heading", name="No offer yet")).to_be_visible()

    for name, provider, region, euros in OFFERS:
        page.get_by_role("link", name="Add an offer").first.click()
        page.get_by_label("Name of the offer").fill(name)
        page.get_by_label("Provider", exact=False).nth(1).fill(provider)
        page.get_by_label("Region").fill(region)
        page.get_by_label("Model").fill(MODEL)
        sheet = tmp_path / f"{name}.csv"
        sheet.write_text(f"unit,per,price,currency\nrequests,1000,{euros},EUR\n")
        page.get_by_label("Price sheet").set_input_files(sheet)
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("The offer is saved.")).to_be_visible()

    # by emissions Virginia scores at least a tenth; by cost Stockholm scores 5.2 / 9.9 = 53: 40 + 0.6 x 53 = 72 points
    expect(page.get_by_role("heading", name=re.compile("Stockholm leads in"))).to_be_visible()
    assert tab.violations() == []
    page.get_by_role("spinbutton", name="Emissions").fill("10")
    page.get_by_role("spinbutton", name="Cost").fill("90")
    page.get_by_role("button", name="Try these weights").click()
    expect(page.get_by_role("heading", name=re.compile("Virginia leads in"))).to_be_visible()
    page.get_by_role("button", name="Keep these weights").click()
    expect(page.get_by_role("heading", name=re.compile("Virginia leads in"))).to_be_visible()
    finding = page.get_by_role("heading", name=re.compile("leads in")).inner_text()

    page.get_by_role("button", name="Freeze").click()
    files = {}
    for name in ("PDF", "XLSX", "JSON"):
        with page.expect_download() as started:
            page.get_by_role("link", name=name, exact=True).click()
        files[name] = started.value.path()

    document = json.loads(files["JSON"].read_text())
    printed = subprocess.run(
        ["pdftotext", "-layout", files["PDF"], "-"], capture_output=True, text=True, check=True
    ).stdout
    assert plain(finding) in plain(printed)
    assert all(name in printed for name, *_rest in OFFERS)
    rows = list(openpyxl.load_workbook(io.BytesIO(files["XLSX"].read_bytes()))["Ranking"].iter_rows(values_only=True))
    assert [row[1] for row in rows[1:]] == [each["name"] for each in document["offers"]]
    assert rows[1][1] == "Virginia"
    assert rows[1][5] == pytest.approx(document["offers"][0]["leads"])
    # 1,000,000 requests at 5.20 EUR a thousand
    assert document["offers"][0]["answers"][0 if document["criteria"][0]["subject"] == "cost" else 1]["value"] == 5200.0
    assert tab.violations() == []
    assert complaints(tab) == []


def test_a_questionnaire_goes_out_and_its_answers_come_back(signed_in, tmp_path):
    tab = signed_in()
    page = tab.open("/providers/dossiers/ovh/")
    expect(page.get_by_role("heading", name="A dossier without evidence")).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("link", name=re.compile("Questionnaire")).click()
    book = openpyxl.load_workbook(io.BytesIO(started.value.path().read_bytes()))
    book["Questions"].cell(2, 5, 1.26)
    book["Questions"].cell(2, 6, "fleet")
    book.save(tmp_path / "back.xlsx")

    page.get_by_label("Questionnaire that came back").set_input_files(tmp_path / "back.xlsx")
    page.get_by_role("button", name="Take the answers in").click()
    page.get_by_role("button", name="Accept").click()

    expect(page.get_by_role("row", name=re.compile("PUE"))).to_contain_text("1.26")
    assert tab.violations() == []
    assert tab.overflow() == 0
    assert complaints(tab) == []


def complaints(tab):
    """What the browser said, without the pages that were not loaded since they are files."""
    return [each for each in tab.complaints if not re.match(r"not loaded: .*\.(pdf|xlsx|json)$", each)]


def plain(text):
    return " ".join(text.replace("\u202f", " ").split())
