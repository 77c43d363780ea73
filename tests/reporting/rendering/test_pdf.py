"""Documents to print: what is said is in them, marked up for screen readers, and equal values give equal bytes."""

import re
import shutil
import subprocess
from datetime import UTC, datetime

import pytest

from reporting.rendering.pdf import COVERED, Attachment, pdf

MADE_AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def sample(**changed):
    data = {
        "text": "Zürich",
        "finding": "A is lower: 3 kg CO2e",
        "facts": [["Methodology", "2026.1"]],
        "heading": "Emissions",
        "ranges": [
            {"label": "A", "low": 0.1, "value": 0.2, "high": 0.4, "text": "3 kg CO2e"},
            {"label": "B", "low": None, "value": None, "high": None, "text": "not disclosed"},
        ],
        "ticks": [[0, "0"], [1, "15 kg"]],
        "alt": "A from 1.5 to 6 kg",
        "columns": [{"label": "Offer"}, {"label": "kg CO2e", "number": True}],
        "rows": [["A", "3"], ["B", "-"]],
        "footer": "Northwind",
        **changed,
    }
    attached = [Attachment("values.json", "application/json", "the values", '{"kg": 3}')]
    return pdf("sample", data, title="Comparison", language="de", made_at=MADE_AT, attachments=attached)


def test_equal_values_give_equal_bytes_and_others_do_not():
    assert sample() == sample()
    assert sample() != sample(text="Bern")


def test_the_file_claims_to_be_archivable_accessible_and_tagged():
    made = sample()

    assert made.startswith(b"%PDF-1.7")
    metadata = made.decode("latin-1")
    assert re.search(r"<pdfaid:part>3</pdfaid:part>\s*<pdfaid:conformance>A<", metadata)
    assert "<pdfuaid:part>1</pdfuaid:part>" in metadata
    assert "/Marked true" in metadata
    assert "D:20260304050607" in metadata


def test_every_character_that_is_said_to_be_covered_can_be_shown():
    everything = "".join(chr(code) for first, last in COVERED for code in range(first, last + 1))

    assert len(everything) > 600
    assert sample(text=everything).startswith(b"%PDF")  # PDF/A refuses a character without a sign


def test_text_is_shown_as_typed_and_what_no_font_has_is_a_box(tmp_path):
    typed = '#panic("x") *bold* $x$ \\ <label> 販売 \x00'

    text = read(sample(text=typed), tmp_path)

    assert '#panic("x") *bold* $x$ \\ <label> □□ □' in text
    assert "A is lower: 3 kg CO₂e" in text
    assert "not disclosed" in text


def read(made, folder):
    """The text of a PDF, as Poppler reads it."""
    if shutil.which("pdftotext") is None:
        pytest.fail("pdftotext is missing: apt-get install poppler-utils")
    (folder / "made.pdf").write_bytes(made)
    done = subprocess.run(
        ["pdftotext", "-layout", "made.pdf", "-"], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout
