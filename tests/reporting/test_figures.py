"""How numbers are written. Expected texts are worked out by hand from the design's rules, none is copied from output."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting import figures

THIN = "\u202f"
MINUS = "\u2212"
positive = st.floats(min_value=1e-9, max_value=1e12, allow_nan=False)


@pytest.mark.parametrize(
    ("kg", "text"),
    [
        (1_234_567, f"1,230{THIN}t"),
        (184_200, f"184{THIN}t"),
        (1_000, f"1.00{THIN}t"),
        (999.4, f"999{THIN}kg"),
        (999.7, f"1.00{THIN}t"),  # three digits make it 1,000 kg, so the next unit
        (0.412, f"412{THIN}g"),
        (0.000_9, f"900{THIN}mg"),
        (5e-7, f"0.500{THIN}mg"),
        (4.9e-7, f"< 0.5{THIN}mg"),
        (0, f"0{THIN}kg"),
        (None, "-"),
        (math.nan, "-"),
        (-1_900, f"{MINUS}1.90{THIN}t"),
    ],
)
def test_mass_is_written_in_its_unit(kg, text):
    assert figures.quantity(kg, "mass") == text


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0.0004, "energy", f"0.400{THIN}Wh"),
        (12.34, "energy", f"12.3{THIN}kWh"),
        (54_321, "energy", f"54.3{THIN}MWh"),
        (7_654_321, "energy", f"7.65{THIN}GWh"),
        (0.25, "water", f"250{THIN}mL"),
        (43.21, "water", f"43.2{THIN}L"),
        (98_765, "water", f"98.8{THIN}m\u00b3"),
    ],
)
def test_energy_and_water_are_written_in_their_units(value, kind, text):
    assert figures.quantity(value, kind) == text


def test_a_column_has_one_unit_and_its_small_values_are_not_zero():
    column = figures.scale_for("mass", [62_400, 14_800, 3, 0, None])

    assert column.unit == "t"
    assert [figures.number(kg, column) for kg in (62_400, 14_800, 3, 0, None)] == ["62.4", "14.8", "< 0.1", "0", "-"]


def test_a_total_claims_no_more_digits_than_its_parts():
    column = figures.scale_for("mass", [62_400, 44_900, 32_700, 14_800])

    assert figures.number(154_800, column) == "155"


def test_a_fixed_unit_is_kept():
    assert figures.quantity(412, "mass", scale=figures.scale_for("mass", [412], unit="t")) == f"0.412{THIN}t"


def test_other_languages_have_their_own_signs():
    column = figures.scale_for("mass", [1_234_567, 62_400])

    assert figures.number(1_234_567, column, locale="de") == "1.230"
    assert figures.percent(0.008, locale="de") == f"0,8{THIN}%"
    assert figures.count(447_000_000, locale="de") == f"447{THIN}Mio."


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (151_000, 226_000, "151\u2013226"),
        (151_000, 151_200, "151"),
        (-3_000, 9_000, f"{MINUS}3 \u2013 9"),
        (None, 9_000, "-"),
    ],
)
def test_a_range_is_written_once(low, high, text):
    assert figures.interval(low, high, figures.scale_for("mass", [184_200])) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1_204, "1,204"), (999_499, "999,499"), (447_123_456, f"447{THIN}M"), (-12, f"{MINUS}12"), (None, "-")],
)
def test_counts_are_grouped_and_millions_shortened(value, text):
    assert figures.count(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.63, f"63{THIN}%"),
        (0.114, f"11{THIN}%"),
        (0.0996, f"10{THIN}%"),
        (0.008, f"0.8{THIN}%"),
        (0.0001, f"< 0.1{THIN}%"),
        (0.9996, f"> 99{THIN}%"),
        (1, f"100{THIN}%"),
        (1.07, f"107{THIN}%"),
        (0, f"0{THIN}%"),
        (None, "-"),
    ],
)
def test_percentages_never_round_to_all_or_nothing(share, text):
    assert figures.percent(share) == text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(12_345.6, "EUR", "€12,346"), (3.5, "USD", "$3.50"), (-250, "USD", f"{MINUS}$250"), (None, "EUR", "-")],
)
def test_money_has_cents_below_a_hundred(amount, currency, text):
    assert figures.money(amount, currency) == text


def test_less_emission_is_good_and_says_so_in_words():
    change = figures.change(88.6, 100)

    assert (change.direction, change.text, change.meaning) == ("down", f"11{THIN}%", "good")
    assert change.words == f"11{THIN}% less"


def test_more_volume_is_neutral():
    assert figures.change(130, 100, less_is_good=None).meaning == "neutral"


@pytest.mark.parametrize(
    ("present", "base"),
    [(5_000, 49.9), (0.5, 0.099), (3, 0), (3, -2)],  # under 1 % of now; under 0.1 kg; nothing; a credit
)
def test_a_base_too_small_gives_no_percentage(present, base):
    assert figures.change(present, base).text == "n/a: base too small"


def test_different_coverage_is_named_instead_of_a_percentage():
    assert figures.change(10, 9, coverage=(0.61, 0.94)).text == f"coverage 61{THIN}% vs 94{THIN}%"
    assert figures.change(10, 9, coverage=(0.90, 0.95)).direction == "up"  # 5 points are still alike


def test_unknown_is_no_change():
    assert figures.change(None, 100).text == "-"


@given(kg=positive)
def test_what_is_there_never_reads_as_nothing(kg):
    assert figures.quantity(kg, "mass").partition(THIN)[0] != "0"


@given(kg=positive)
def test_the_shown_number_is_within_half_of_its_last_digit(kg):
    scale = figures.scale_for("mass", [kg])
    shown = figures.number(kg, scale)

    if not shown.startswith("<"):
        back = float(shown.replace(",", "")) / scale.factor
        assert abs(back - kg) <= 0.0051 * kg


UNITS_OF = {
    "mass": {"mg": 1e-6, "g": 1e-3, "kg": 1.0, "t": 1e3},
    "energy": {"Wh": 1e-3, "kWh": 1.0, "MWh": 1e3, "GWh": 1e6},
    "water": {"mL": 1e-3, "L": 1.0, "m\u00b3": 1e3},
}
"""What one of each unit is in kg, kWh and L."""


@given(st.sampled_from(sorted(UNITS_OF)), st.floats(1e-6, 1e12))
def test_a_shown_quantity_means_its_value_in_the_unit_beside_it(kind, value):
    """Law 10: whatever unit a page chooses, reading it back gives the value to three digits."""
    text, unit = figures.quantity(value, kind).split(THIN)

    assert float(text.replace(",", "")) * UNITS_OF[kind][unit] == pytest.approx(value, rel=6e-3)
