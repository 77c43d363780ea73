"""The template of canonical records: CSV and XLSX."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import openpyxl
import pytest

from ingestion.sources import activity
from ingestion.sources.base import UnreadablePayload
from tests.ingestion.sources.canonical import (
    GOOD,
    csv,
    csv_row,
    one,
)
from tests.ingestion.sources.samples import activity_of, read


def test_templates_can_be_sent_back() -> None:
    for template in (activity.template_csv(), activity.template_xlsx()):
        parsed = one(template)
        assert parsed.rejected == []
        assert parsed.activity["record_id"].tolist() == ["example-1"]
        assert parsed.activity["labels"].tolist() == [{"cost_center": "4711"}]
        assert activity.detect(template, "template") is not None


def test_xlsx_template_explains_itself() -> None:
    workbook = openpyxl.load_workbook(io.BytesIO(activity.template_xlsx()))

    assert workbook.sheetnames == ["records", "instructions"]
    assert any("UTC" in str(cell.value) for (cell,) in workbook["instructions"].iter_rows())


def test_bad_cells_and_torn_rows_of_a_csv_are_quarantined_with_their_field() -> None:
    body = csv(
        csv_row("a", "1", ""),
        csv_row("comma", "1,5", ""),
        csv_row("text", "many", ""),
        csv_row("nan", "1", "nan"),
        "zoned,2026-11-22T01:00:00+01:00,2026-11-22T02:00:00Z,inference,api,modelled,1,",
        "naive,2026-11-22 01:00,2026-11-22T02:00:00Z,inference,api,modelled,1,",
        csv_row("f", "2", ""),
    )

    parsed = one(body, filename="use.csv")

    assert parsed.activity[["record_id", "row"]].to_numpy().tolist() == [["a", 1], ["f", 7]]
    assert [(found.row, found.field) for found in parsed.rejected] == [
        (2, None),
        (3, "requests"),
        (4, "energy_kwh"),
        (5, "started_at"),
        (6, "started_at"),
    ]


def test_long_csv_keeps_row_numbers_over_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.sources.activity_sheets.BLOCK_BYTES", 2000)
    rows = [csv_row(f"r{at}", "1", "") for at in range(1, 101)]
    rows[49] = "torn"

    parsed = read(activity, csv(*rows), filename="use.csv")

    assert len(parsed) > 2
    assert sum(each.received for each in parsed) == 100
    assert [found.row for each in parsed for found in each.rejected] == [50]
    frame = activity_of(parsed)
    assert frame["record_id"].tolist() == [f"r{at}" for at in frame["row"]]


def test_torn_row_that_is_no_utf8_is_not_lost() -> None:
    with pytest.raises(UnreadablePayload, match="not in UTF-8"):
        one(csv(csv_row("a", "1", "")) + b"\r\ntorn \xff\r\n", filename="use.csv")


def test_csv_without_the_columns_is_refused() -> None:
    with pytest.raises(UnreadablePayload, match="lacks the columns started_at"):
        one(csv("a,inference", header="record_id,stage"), filename="use.csv")


@pytest.mark.parametrize("body", [b"PK\x03\x04 nothing", b"\xff\xfe\x00r"])
def test_files_that_only_look_right_are_refused(body: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        one(body, filename="use.csv")


def test_numbers_that_excel_made_of_names_stay_names() -> None:
    workbook = openpyxl.Workbook()
    sheet: Any = workbook.active
    sheet.append([*GOOD, "account"])
    sheet.append([*GOOD.values(), 123456789012])
    sheet.append([None] * len(GOOD))
    sheet.append([*{**GOOD, "record_id": 7, "started_at": datetime(2026, 11, 22, 1)}.values(), 1.5])  # noqa: DTZ001  # Excel's
    body = io.BytesIO()
    workbook.save(body)

    parsed = one(body.getvalue())

    assert parsed.rejected == []
    assert parsed.activity["account"].tolist() == ["123456789012", "1.5"]
    assert parsed.activity["record_id"].tolist() == ["r1", "7"]
    assert parsed.activity["row"].tolist() == [1, 3]
    assert parsed.activity["started_at"].nunique() == 1
