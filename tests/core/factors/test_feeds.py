"""Readers of carbon-intensity feeds: units, gaps, and answers that are none. Samples with answers are in test_samples.py."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.factors.feeds import carbon_aware_sdk, carbon_intensity_gb, electricitymaps, ember, entsoe, watttime
from core.factors.feeds.slot import FeedError, distinct, steps

GRID = Path(__file__).parents[2] / "payloads" / "grid"
READERS = [
    electricitymaps.read,
    watttime.read,
    carbon_intensity_gb.read,
    carbon_aware_sdk.read,
    ember.read,
    lambda body: entsoe.read(body, {}),
]
AT = datetime(2026, 10, 10, tzinfo=UTC)


def test_pounds_a_megawatt_hour_are_grams_a_kilowatt_hour() -> None:
    slot = watttime.read((GRID / "watttime-historical.json").read_bytes())[0]

    # 871.1 lb/MWh x 453.59237 g/lb / 1000 kWh/MWh
    assert slot.g_per_kwh == pytest.approx(395.124313507)
    assert (slot.gas_basis, slot.signal, slot.end - slot.start) == ("CO2", "marginal", timedelta(minutes=5))


def test_a_percentile_is_no_intensity() -> None:
    with pytest.raises(FeedError, match="percentile"):
        watttime.read((GRID / "watttime-signal-index.json").read_bytes())


def test_generation_is_weighed_by_fuel_and_pumping_left_out() -> None:
    body = (GRID / "entsoe-a75.xml").read_bytes()

    slots = entsoe.read(body, {"B16": 0.0, "B05": 1000.0, "B14": 0.0})

    assert [slot.start for slot in slots] == [AT + timedelta(minutes=15 * n) for n in range(4)]
    # Solar 121, 121 (repeated by curve type A03), 161, 171 MW; coal 4,021; nuclear 10; pumping is no generation.
    assert [slot.g_per_kwh for slot in slots] == pytest.approx(
        [4_021_000 / (4021 + 10 + solar) for solar in (121, 121, 161, 171)]
    )


def test_a_fuel_without_a_factor_stops_the_reading() -> None:
    with pytest.raises(FeedError, match="B05"):
        entsoe.read((GRID / "entsoe-a75.xml").read_bytes(), {"B16": 0.0})


def test_a_document_with_entities_is_refused() -> None:
    with pytest.raises(FeedError, match="entities"):
        entsoe.generation(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')


def test_an_answer_without_a_zone_is_nobodys() -> None:
    with pytest.raises(FeedError, match="no zone"):
        electricitymaps.read(json.dumps({"carbonIntensity": 21, "datetime": "2026-10-10T14:00:00Z"}).encode())


def test_a_slot_without_a_value_is_left_out() -> None:
    body = {"zone": "FR", "carbonIntensity": None, "datetime": "2026-10-10T14:00:00Z", "temporalGranularity": "hourly"}

    assert electricitymaps.read(json.dumps(body).encode()) == []


@pytest.mark.parametrize("body", [{"error": "Invalid auth-token"}, {"status": "error", "message": "No data for zone"}])
def test_a_refusal_is_told_in_the_services_words(body: dict[str, str]) -> None:
    with pytest.raises(FeedError, match=r"Invalid auth-token|No data for zone"):
        electricitymaps.read(json.dumps(body).encode())


def test_an_estimate_and_what_replaces_it_are_two_slots() -> None:
    point = {"zone": "FR", "carbonIntensity": 21, "datetime": "2026-10-10T14:00:00Z", "isEstimated": True}
    later = point | {"isEstimated": False, "carbonIntensity": 25, "updatedAt": "2026-10-11T00:00:00Z"}

    slots = distinct(electricitymaps.read(json.dumps({"zone": "FR", "history": [point, later]}).encode()))

    assert {(slot.kind, slot.g_per_kwh) for slot in slots} == {("estimated", 21.0), ("measured", 25.0)}


def test_times_that_do_not_rise_have_no_length() -> None:
    with pytest.raises(FeedError, match="do not rise"):
        steps([AT, AT])


@given(
    st.binary(max_size=80)
    | st.sampled_from([path for path in sorted(GRID.iterdir()) if path.is_file()]).flatmap(
        lambda path: st.integers(0, 400).map(lambda cut: path.read_bytes()[:-cut] if cut else path.read_bytes())
    )
)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for read in READERS:
        try:
            slots = read(body)
        except FeedError:
            continue
        assert all(slot.end > slot.start for slot in slots)
