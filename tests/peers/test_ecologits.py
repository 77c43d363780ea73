"""
The token method agrees with the `ecologits` package on every model that both know (methodology 2.4).

EcoLogits gives intervals of undisclosed sizes and of a provider's PUE and WUE end by end: minimum with minima, maximum with
maxima. So each end is quantified with our catalog's and our provider tables' numbers for that end, and compared with theirs.
What is not compared, with the reason, is `NOT_THE_SAME`; docs/methodology/tokens.md has the same table.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
from ecologits.electricity_mix_repository import electricity_mixes

from core.quantification.methods import Methodology
from core.quantification.quantify import Quantified, quantify
from core.quantification.resolve import catalog_of
from tests.peers import ecologits
from tests.peers.ecologits import END_NAMES, Request
from tests.strategies import mask_of

TOLERANCE = 0.01
OUTPUT_TOKENS = 250
WITHOUT_PREFILL = dataclasses.replace(Methodology(), version="2026.1, prefill off", prefill=False)

NOT_THE_SAME = {
    "input tokens": "EcoLogits ignores them; our prefill term is an extension and off here",
    "grid factor": "theirs is Ember's lifecycle mix, ours a direct factor where one exists; theirs is given as an override here",
    "measured latency": "theirs caps a single request's time by it; ours takes server time (generation_s) instead, no cap",
    "central value": "theirs has two ends and no middle; ours multiplies the middles of size and PUE, up to 2 % less",
    "interval": "theirs spans sizes, PUE and WUE; ours adds the spread of the method itself (GSD 2.0 or 2.75)",
}
"""What is not compared, and why."""

PAGE = Path(__file__).parents[2] / "docs/methodology/tokens.md"


@pytest.fixture(scope="module")
def requests() -> list[Request]:
    return list(ecologits.every_model(OUTPUT_TOKENS))


def ours(requests: list[Request], pack, overrides: pd.DataFrame | None = None) -> Quantified:
    """Quantify requests with the settings that EcoLogits has."""
    activity = pd.DataFrame(
        {
            "stage": "inference",
            "hosting": "api",
            "evidence": "modelled",
            "provider": [request.provider for request in requests],
            "model": [request.model for request in requests],
            "requests": 1,
            "output_tokens": [request.output_tokens for request in requests],
            "mask": mask_of("requests", "output_tokens"),
            "year": 2026,
        }
    )
    return quantify(activity, pack, WITHOUT_PREFILL, overrides)


def end_of(requests: list[Request], pack, end: str) -> pd.DataFrame:
    """Quantify one end: of the sizes in our catalog, and of PUE and WUE in our provider tables."""
    side = {"min": "low", "max": "high"}[end]
    catalog = catalog_of(pack)
    defaults = {row["key"]: row for row in pack.rows("calc_defaults")}
    rows = []
    for request in requests:
        model = catalog.model(request.model, request.provider)
        stated = {name: defaults[f"api_provider.{request.provider}.{name}"] for name in ("pue", "wue")}
        rows.append(
            {
                "model_active_params_b": model.active_b[END_NAMES.index(end)],
                "model_total_params_b": model.total_b[END_NAMES.index(end)],
                "pue": float(stated["pue"][side] or stated["pue"]["value"]),
                "wue_l_per_kwh": float(stated["wue"][side] or stated["wue"]["value"]),
                "grid_g_co2e_per_kwh": request.mix_g_per_kwh(),
            }
        )
    return ours(requests, pack, pd.DataFrame(rows)).impacts


def test_every_model_of_theirs_is_known(requests, pack):
    result = ours(requests, pack)

    methods = [result.plans[code].method for code in result.code]
    unknown = [request for request, method in zip(requests, methods, strict=True) if method != "tokens"]
    assert len(requests) > 300
    assert unknown == []


def test_each_model_agrees_within_one_percent(requests, pack):
    found = {end: end_of(requests, pack, end) for end in END_NAMES}

    apart = []
    compared = 0
    for at, request in enumerate(requests):
        for impact, expected in ecologits.ends(ecologits.compute(request)).items():
            for end, theirs in zip(END_NAMES, expected, strict=True):
                got = found[end][impact].iloc[at]
                compared += 1
                if not abs(got - theirs) <= TOLERANCE * theirs:
                    apart.append(
                        f"{request.provider} {request.model} {impact} {end}: {got:.6g}, EcoLogits {theirs:.6g}"
                    )

    assert compared == len(requests) * 6 * 2
    assert not apart, "\n".join(apart)


def test_the_interval_holds_both_of_their_ends(requests, pack):
    theirs = [ecologits.ends(ecologits.compute(request)) for request in requests]
    grid = pd.DataFrame({"grid_g_co2e_per_kwh": [request.mix_g_per_kwh() for request in requests]})

    impacts = ours(requests, pack, grid).impacts

    for impact in ("energy_facility_kwh", "location_kg_co2e", "embodied_kg_co2e", "water_l"):
        low, high = ([each[impact][end] for each in theirs] for end in (0, 1))
        assert (impacts[f"{impact}_low"] <= low).all()
        assert (impacts[f"{impact}_high"] >= high).all()


def test_the_central_value_lies_at_most_two_percent_below_the_middle(requests, pack):
    middles = [sum(ecologits.ends(ecologits.compute(request))["energy_facility_kwh"]) / 2 for request in requests]

    ratio = ours(requests, pack).impacts["energy_facility_kwh"] / middles

    assert ratio.between(0.98, 1 + 1e-9).all()


def test_zones_have_their_electricity_mixes(pack):
    rows = {row["country_alpha3"] or row["zone_id"]: row for row in pack.rows("grid_water_resources")}
    theirs = {mix.zone: mix for mix in electricity_mixes.list_electricity_mixes()}

    assert set(rows) == set(theirs)
    for zone, row in rows.items():
        mix = theirs[zone]
        assert float(row["g_per_kwh"]) == pytest.approx(mix.gwp * 1000, rel=1e-9), zone
        assert float(row["primary_energy_mj_per_kwh"]) == pytest.approx(mix.pe, rel=1e-9), zone
        assert float(row["water_l_per_kwh"]) == pytest.approx(mix.wue, rel=1e-9), zone
        assert float(row["adpe_kgsbeq_per_kwh"]) == pytest.approx(mix.adpe, rel=1e-9), zone


def test_the_handbook_says_what_is_not_compared():
    page = PAGE.read_text()

    for what, why in NOT_THE_SAME.items():
        assert f"| {what} | {why} |" in page
