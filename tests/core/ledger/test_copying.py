"""Binary COPY both ways, against the real server."""

from __future__ import annotations

import uuid

import numpy as np
import pandas as pd
import pytest
from django.db import connection

from core.ledger import copying

ID = uuid.UUID("c988b183-1df2-8a29-8816-95d19d91866a")


@pytest.fixture
def cursor(db):
    with connection.cursor() as made:
        made.execute(
            "create temporary table copied (n bigint, small integer, share float8, yes boolean, at timestamptz, key uuid,"
            " words text, more text default 'given')"
        )
    with connection.connection.cursor() as cursor:
        yield cursor


def test_values_and_nulls_arrive_as_they_were(cursor):
    absent = np.array([False, True, False])
    copying.copy_rows(
        cursor,
        "copied",
        {
            "n": copying.integers(np.array([2**63 - 1, 0, -(2**63)]), null=absent),
            "small": copying.integers(np.array([1, -2, 3]), ">i4"),
            "share": copying.floats(np.array([0.1, np.nan, -0.0])),
            "yes": copying.booleans(np.array([True, False, True])),
            "at": copying.times(np.array([0, 1, 1_793_702_400_000_000])),
            "key": copying.uuids(np.frombuffer(ID.bytes * 3, dtype=np.uint8).reshape(3, 16), absent),
            "words": copying.texts(pd.Series(["é€😀", None, ""], dtype="str")),
        },
    )

    rows = cursor.execute("select *, extract(epoch from at) * 1000000 from copied order by at").fetchall()
    assert [(*row[:4], *row[5:7]) for row in rows] == [
        (2**63 - 1, 1, 0.1, True, ID, "é€😀"),
        (None, -2, None, False, None, None),
        (-(2**63), 3, -0.0, True, ID, ""),
    ]
    assert [int(row[8]) for row in rows] == [0, 1, 1_793_702_400_000_000]


def test_columns_without_any_value_take_their_default(cursor):
    copying.copy_rows(
        cursor,
        "copied",
        {"n": copying.integers(np.array([1])), "more": copying.texts(pd.Series([None], dtype="str"))},
    )

    assert cursor.execute("select n, more from copied").fetchall() == [(1, "given")]


def test_a_column_of_empty_texts_is_no_empty_column(cursor):
    copying.copy_rows(cursor, "copied", {"more": copying.texts(pd.Series(["", ""], dtype="str"))})

    assert cursor.execute("select more from copied").fetchall() == [("",), ("",)]


def test_slices_of_arrow_text_copy_their_own_part(cursor):
    words = pd.Series(["a", "bb", None, "dddd", "e"], dtype="str").iloc[1:4]

    copying.copy_rows(cursor, "copied", {"words": copying.texts(words), "n": copying.integers(np.arange(3))})

    assert cursor.execute("select words from copied order by n").fetchall() == [("bb",), (None,), ("dddd",)]


@pytest.mark.parametrize("rows", [1, 3, 7, 10, 1000])
def test_reading_gives_every_row_once_whatever_the_block(cursor, rows):
    query = "select n, n * 0.5::float8, n %% 2 = 0, %s::bigint from generate_series(1::bigint, 10) n"
    fields = {"n": ">i8", "half": ">f8", "even": "?", "given": ">i8"}

    blocks = list(copying.read_rows(cursor, query, [42], fields, rows))

    read = np.concatenate(blocks)
    assert read["n"].tolist() == list(range(1, 11))
    assert read["half"].tolist() == [n / 2 for n in range(1, 11)]
    assert read["even"].tolist() == [n % 2 == 0 for n in range(1, 11)]
    assert set(read["given"].tolist()) == {42}


def test_reading_nothing_gives_no_block(cursor):
    assert list(copying.read_rows(cursor, "select 1::bigint where false", [], {"n": ">i8"}, 10)) == []
