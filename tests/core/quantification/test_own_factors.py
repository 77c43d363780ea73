"""An organization's own factors: which of several holds for a use, and when."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from core.quantification.attribute import day_number
from core.quantification.own_factors import SELECTORS, OwnFactor, given_of
from core.quantification.resolve import catalog_of

DAY = date(2026, 7, 1)


def own(name="pue", value=1.2, number=1, **fields):
    return OwnFactor(f"own:{number}", name, value, value, value, "the site's meters", **fields)


@pytest.fixture
def chosen(pack):
    """Choose for one subject: ``chosen(factors, day=..., site=...)`` gives override to value."""

    def choose(*factors, day=DAY, **dimensions):
        subjects = pd.DataFrame({name: [dimensions.get(name)] for name in SELECTORS} | {"day": [day_number(day)]})
        return {name: given.value for name, given in given_of(subjects, factors, catalog_of(pack)).iloc[0]}

    return choose


def test_factor_without_conditions_holds_for_everything(chosen):
    assert chosen(own(), site="berlin") == {"pue": 1.2}
    assert chosen(own()) == {"pue": 1.2}


@pytest.mark.parametrize(
    ("where", "dimensions", "holds"),
    [
        ({"site": "Berlin"}, {"site": "berlin"}, True),
        ({"site": "berlin"}, {"site": "paris"}, False),
        ({"site": "berlin"}, {}, False),
        ({"site": "berlin", "hosting": "owned"}, {"site": "berlin", "hosting": "colocated"}, False),
        ({"hardware": "H100 SXM"}, {"hardware": "NVIDIA H100 80GB HBM3"}, True),
        ({"model": "gpt-4o"}, {"model": "openai/gpt-4o", "provider": "openai"}, True),
        ({"model": "house-70b"}, {"model": "House-70B"}, True),
        ({"zone": "DE"}, {"zone": "DE"}, True),
        ({"zone": "DE"}, {"hosting": "cloud", "provider": "aws", "region": "eu-central-1"}, True),
        ({"zone": "FR"}, {"hosting": "cloud", "provider": "aws", "region": "eu-central-1"}, False),
        ({"zone": "US"}, {"hosting": "cloud", "provider": "aws", "region": "us-east-1"}, True),
        ({"zone": "hall-3"}, {"zone": "Hall-3"}, True),
        ({"region": "us-east-1"}, {"hosting": "cloud", "provider": "aws", "region": "us-east-1a"}, True),
        ({"currency": "EUR"}, {"currency": "USD"}, False),
    ],
)
def test_every_condition_must_fit_by_what_names_mean(chosen, where, dimensions, holds):
    assert chosen(own(where=where), **dimensions) == ({"pue": 1.2} if holds else {})


@pytest.mark.parametrize(
    ("day", "value"), [(date(2026, 6, 30), None), (DAY, 1.2), (date(2026, 7, 31), 1.2), (date(2026, 8, 1), None)]
)
def test_factor_holds_from_its_first_day_to_the_one_before_its_end(chosen, day, value):
    factor = own(valid_from=DAY, valid_to=date(2026, 8, 1))

    assert chosen(factor, day=day).get("pue") == value


def test_closest_fit_goes_first(chosen):
    everywhere = own(value=1.5)
    german = own(value=1.4, where={"zone": "DE"})
    site = own(value=1.3, where={"zone": "DE", "site": "berlin"})
    later = own(value=1.25, where={"zone": "DE", "site": "berlin"}, valid_from=DAY)

    for order in ((everywhere, german, site, later), (later, site, german, everywhere)):
        assert chosen(*order, zone="DE", site="berlin") == {"pue": 1.25}
        assert chosen(*order, zone="DE", site="berlin", day=date(2026, 6, 30)) == {"pue": 1.3}
        assert chosen(*order, zone="DE") == {"pue": 1.4}
        assert chosen(*order, zone="FR") == {"pue": 1.5}


def test_finer_zone_goes_before_the_country(chosen):
    country = own("grid_g_co2e_per_kwh", 400, where={"zone": "US"})
    subregion = own("grid_g_co2e_per_kwh", 300, where={"zone": "EGRID:SRVC"})
    place = {"hosting": "cloud", "provider": "aws", "region": "us-east-1"}

    assert chosen(subregion, country, **place) == {"grid_g_co2e_per_kwh": 300}
    assert chosen(country, subregion, **place) == {"grid_g_co2e_per_kwh": 300}


def test_different_factors_stand_beside_each_other(chosen):
    assert chosen(own(), own("wue_l_per_kwh", 0.3, where={"site": "berlin"}), site="berlin") == {
        "pue": 1.2,
        "wue_l_per_kwh": 0.3,
    }


def test_number_that_was_entered_goes_before_what_meters_give(chosen):
    entered = own(value=1.25, where={"site": "berlin"})
    metered = own(value=1.31, where={"site": "berlin"}, valid_from=DAY, match="exact")
    everywhere = own(value=1.5)
    german = own(value=1.4, where={"zone": "DE"})

    assert chosen(metered, entered, german, site="berlin", zone="DE") == {"pue": 1.25}
    assert chosen(metered, everywhere, german, site="berlin", zone="DE") == {"pue": 1.31}


@pytest.mark.parametrize(("version", "gsd"), [("2026.1", 1.02), ("2026.1 gsd.pue_measured=1.1", 1.1)])
def test_width_of_a_metered_ratio_is_the_methodology_s(pack, version, gsd):
    """Methodology 9.2: a measured PUE has GSD 1.02, and a spread is a setting."""
    subjects = pd.DataFrame({name: [None] for name in SELECTORS} | {"day": [day_number(DAY)]})

    (((_, given),),) = given_of(subjects, [own(gsd="pue_measured")], catalog_of(pack), version)

    assert (given.value / given.low, given.high / given.value) == pytest.approx((gsd**1.959963984540054,) * 2)
