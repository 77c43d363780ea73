"""Numbers in workbooks: read back by openpyxl as the numbers that they were, text only where a cell cannot hold them."""

from __future__ import annotations

import io

import openpyxl
import pytest

from reporting.exports import xlsx_bytes


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (2**53 - 1, 2**53 - 1),
        (2**53 + 1, str(2**53 + 1)),  # a cell is a float of 53 bits
        (3.2e17, 3.2e17),  # grams in the megatonnes: as exact as it was
        (0.1, 0.1),
        (float("inf"), "inf"),
        (True, "True"),
        ("=1+1", "=1+1"),
        (None, None),
    ],
)
def test_a_cell_holds_what_was_given(given, read):
    book = openpyxl.load_workbook(io.BytesIO(xlsx_bytes([["what"], [given]], [("of", "test")])))

    cell = book["table"]["A2"]

    assert (cell.value, cell.data_type == "f") == (read, False)
