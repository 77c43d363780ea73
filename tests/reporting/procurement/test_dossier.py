"""Dossiers: which claim a criterion takes, and what the claim checker says of each."""

from datetime import date

import pytest

from core.factors.pack import load_pack
from reporting.procurement.answers import ProcurementError
from reporting.procurement.checking import findings_of
from reporting.procurement.claims_given import read_claim
from reporting.procurement.criteria import Criterion
from reporting.procurement.dossier import Evidence, answers_of, published, with_findings
from reporting.procurement.metrics import METRICS

DAY = date(2026, 11, 1)
PUE = Criterion("claim:pue", 1.0)


def claim(number, provider, value, metric="pue", **fields):
    given = {"boundary": "fleet", "document": f"report {number}", "dated": "2026", "grade": "published", **fields}
    return Evidence(id=f"own:{number}", provider=provider, metric=metric, value=value, **given)


def codes(evidence, **fields):
    return {name: [each.code for each in found] for name, found in findings_of(evidence, DAY, **fields).items()}


def test_what_nobody_discloses_is_not_disclosed():
    answers = answers_of(PUE, [("aws", ""), ("ovh", "")], [claim(1, "aws", 1.15)], DAY)

    assert [(each.state, each.value, each.why) for each in answers] == [
        ("known", 1.15, ""),
        ("not_disclosed", None, "no_evidence"),
    ]


def test_another_boundary_is_not_comparable():
    evidence = [claim(1, "aws", 1.15), claim(2, "gcp", 1.09), claim(3, "azure", 1.07, boundary="site Amsterdam")]

    answers = answers_of(PUE, [("aws", ""), ("gcp", ""), ("azure", "")], evidence, DAY)
    of_sites = answers_of(
        Criterion("claim:pue", 1.0, boundary="site"), [("aws", ""), ("gcp", ""), ("azure", "")], evidence, DAY
    )

    assert [each.state for each in answers] == ["known", "known", "not_comparable"]
    assert (answers[2].why, answers[2].detail) == ("boundary", "site")
    assert [each.state for each in of_sites] == ["not_comparable", "not_comparable", "known"]


def test_two_offers_of_different_boundaries_are_both_not_comparable():
    evidence = [claim(1, "aws", 1.15), claim(3, "azure", 1.07, boundary="site Amsterdam")]

    answers = answers_of(PUE, [("aws", ""), ("azure", "")], evidence, DAY)

    assert [each.state for each in answers] == ["not_comparable", "not_comparable"]


def test_the_offers_own_region_goes_before_the_fleet_and_others_regions_do_not_count():
    evidence = [
        claim(1, "gcp", 1.09),
        claim(2, "gcp", 1.05, boundary="region europe-north1"),
        claim(3, "gcp", 1.20, boundary="region asia-east1"),
        claim(4, "aws", 1.15),
        claim(5, "aws", 1.11, boundary="region eu-north-1"),
    ]

    answers = answers_of(PUE, [("gcp", "europe-north1"), ("aws", "eu-north-1")], evidence, DAY)

    assert [each.value for each in answers] == [1.05, 1.11]


def test_the_better_grade_goes_first_then_the_newer_document():
    evidence = [
        claim(1, "aws", 1.15, dated="2024"),
        claim(2, "aws", 1.14, dated="2025"),
        claim(3, "aws", 1.02, dated="2026", grade="marketing"),
        claim(4, "aws", 1.01, dated="2026", expires_on=date(2026, 10, 31)),
        claim(5, "aws", 1.00, dated="2026", state="proposed"),
    ]

    (answer,) = answers_of(PUE, [("aws", "")], evidence, DAY)

    assert (answer.value, answer.source) == (1.14, "report 2, 2025")


def test_an_impossible_claim_is_not_taken():
    evidence = [claim(1, "aws", 0.9)]
    checked = with_findings(evidence, findings_of(evidence, DAY))

    (answer,) = answers_of(PUE, [("aws", "")], checked, DAY)

    assert answer.state == "not_disclosed"
    assert codes(evidence)["own:1"] == ["impossible"]


@pytest.mark.parametrize(
    ("grams", "wh", "code"),
    [
        (0.03, 0.24, "plausible_intensity"),  # 0.03 g / 0.24 Wh = 125 g/kWh
        (0.30, 0.24, "plausible_intensity"),  # 1,250 g/kWh: lignite
        (3.0, 0.24, "implausible_intensity"),  # 12.5 kg/kWh: no grid has it
        (0.005, 0.24, "market_like_intensity"),  # 21 g/kWh: is it market-based?
    ],
)
def test_emissions_are_held_against_the_energy_of_the_same_document(grams, wh, code):
    evidence = [
        claim(1, "gcp", grams, "emissions_per_request_g", document="paper"),
        claim(2, "gcp", wh, "energy_per_request_wh", document="paper"),
    ]

    assert code in codes(evidence)["own:1"]


def test_a_location_figure_far_below_its_grid_is_asked_about():
    evidence = [claim(1, "aws", 20.0, "location_g_co2e_per_kwh", boundary="region us-west-2")]

    assert codes(evidence, grids_g_per_kwh={"us-west-2": 380.0})["own:1"] == ["market_like"]
    assert codes(evidence, grids_g_per_kwh={"us-west-2": 150.0})["own:1"] == ["consistent"]


def test_two_documents_that_differ_by_a_unit_are_named():
    evidence = [
        claim(1, "aws", 240.0, "energy_per_request_wh", dated="2025"),
        claim(2, "aws", 0.24, "energy_per_request_wh", dated="2026"),
    ]

    (finding,) = [each for each in findings_of(evidence, DAY)["own:1"] if each.code == "contradicts"]

    assert finding.detail == "1e+03; unit (g, kg, t; Wh, kWh, MWh)"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"document": ""}, "no_document"),
        ({"dated": ""}, "no_date"),
        ({"dated": "2022"}, "stale"),
        ({"boundary": ""}, "no_boundary"),
        ({"grade": "marketing"}, "marketing"),
        ({"expires_on": date(2026, 10, 31)}, "expired"),
    ],
)
def test_what_a_claim_lacks_is_said(fields, code):
    assert code in codes([claim(1, "aws", 1.15, **fields)])["own:1"]


def test_a_hundred_percent_without_volume_is_no_instrument():
    evidence = [
        claim(1, "aws", 1.0, "renewable_annual_share"),
        claim(2, "aws", 1.0, "renewable_annual_share", note="GO, 2 TWh, DE 2025"),
    ]

    found = codes(evidence)

    assert "no_volume" in found["own:1"]
    assert "no_volume" not in found["own:2"]


def test_published_disclosures_are_read_with_their_boundary():
    rows = published(load_pack())
    by = {(each.provider, each.metric, each.boundary): each for each in rows}

    assert by["aws", "pue", "fleet"].value == 1.14  # AWS sustainability page, 2025
    assert by["gcp", "energy_per_request_wh", "prompt"].value == 0.24  # Elsworth et al. 2025
    assert by["openai", "energy_per_request_wh", "prompt"].grade == "marketing"
    assert by["mistral", "emissions_per_request_g", "400-token answer"].grade == "assured"
    assert by["gcp", "carbon_free_hourly_share", "region africa-south1"].dated >= "2024"
    assert all(METRICS[each.metric].least <= (each.value or 0) <= METRICS[each.metric].most for each in rows)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"metric": "beauty", "value": 1}, "metric"),
        ({"metric": "pue", "value": 0.98}, "value"),
        ({"metric": "heat_reuse_share", "value": 30}, "value"),
        ({"metric": "certification", "value": ""}, "value"),
        ({"metric": "pue", "value": 1.1, "grade": "rumour"}, "grade"),
        ({"metric": "pue", "value": 1.1, "url": "javascript:alert(1)"}, "url"),
        ({"metric": "pue", "value": 1.1, "document_date": "last May"}, "document_date"),
        ({"metric": "pue", "value": 1.1, "document_date": "2026-05-01", "expires_on": "2026-04-01"}, "expires_on"),
    ],
)
def test_claims_that_cannot_be_are_refused(given, field):
    with pytest.raises(ProcurementError) as refused:
        read_claim(given)

    assert refused.value.field == field
