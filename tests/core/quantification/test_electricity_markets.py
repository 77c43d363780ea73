"""Which places form one market, and which serial numbers are the same certificates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.quantification.electricity_markets import Markets, MarketsError, own_markets
from core.quantification.serials import SerialError, SerialRange, blocks_of, serial_range

COUNTRIES = {"DE": "DE", "FR": "FR", "CN": "CN", "CH": "CH", "US": "US", "CA": "CA", "EGRID-CAMX": "US"}


@pytest.mark.parametrize(
    ("text", "market"), [("aib", "AIB"), ("de", "AIB"), ("EGRID-CAMX", "US"), ("CN", "CN"), ("Atlantis", None)]
)
def test_a_market_is_named_by_itself_or_by_a_place_in_it(text, market):
    assert Markets().named(text, COUNTRIES) == market


def test_own_markets_take_their_places_out_of_the_defaults():
    markets = own_markets({"North America": ["US", "CA"], "Switzerland": ["CH"]})

    assert markets.of("EGRID-CAMX", "US") == markets.of("CA", "CA") == "North America"
    assert markets.of("CH", "CH") == "Switzerland"
    assert markets.of("DE", "DE") == "AIB"


@pytest.mark.parametrize(
    ("own", "why"),
    [
        ({"A": ["DE"], "B": ["DE"]}, "in two markets"),
        ({"A": []}, "no country"),
        ({"": ["DE"]}, "no name"),
        ({"A": ["Germany, maybe"]}, "no country or zone"),
    ],
)
def test_markets_that_cannot_be_are_refused(own, why):
    with pytest.raises(MarketsError, match=why):
        own_markets(own)


def test_serial_numbers_count_certificates():
    assert serial_range("Registry", "GO-2026-000001", "GO-2026-001000").count == 1000
    assert serial_range("Registry", "7").count == 1


@pytest.mark.parametrize(
    ("registry", "first", "last", "why"),
    [
        ("", "1", "2", "registry"),
        ("R", "one", "two", "ends in digits"),
        ("R", "A1", "B2", "begin differently"),
        ("R", "9", "3", "before the first"),
    ],
)
def test_serial_numbers_that_make_no_range_are_refused(registry, first, last, why):
    with pytest.raises(SerialError, match=why):
        serial_range(registry, first, last)


ranges = st.tuples(st.integers(0, 300), st.integers(0, 60)).map(lambda at: (at[0], at[0] + at[1]))


@given(ranges, ranges)
def test_hashes_overlap_exactly_where_ranges_do(one, two):
    first, second = (blocks_of(SerialRange("r", "", *ends)) for ends in (one, two))

    assert first.overlaps(second) == (one[0] <= two[1] and two[0] <= one[1])
    assert second.overlaps(first) == first.overlaps(second)


@given(ranges)
def test_other_registries_and_series_have_numbers_of_their_own(ends):
    own = blocks_of(SerialRange("r", "a", *ends))

    assert not own.overlaps(blocks_of(SerialRange("s", "a", *ends)))
    assert not own.overlaps(blocks_of(SerialRange("r", "b", *ends)))


def test_a_range_of_a_million_is_a_handful_of_hashes():
    blocks = blocks_of(SerialRange("r", "", 643002406801000000000000263010001, 643002406801000000000000264010000))

    assert len(blocks.whole) <= 40
    assert len(blocks.partly) < 200
