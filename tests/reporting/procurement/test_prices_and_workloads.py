"""Price sheets, typical workloads and offers, against values worked out by hand."""

import doctest
import importlib

import pytest

from reporting.procurement import offers, workloads
from reporting.procurement.answers import Answer, ProcurementError
from reporting.procurement.prices import comparable, cost_of, from_plain
from reporting.procurement.workloads import TEMPLATES, Workload

SHEET = [
    {"unit": "input_tokens", "price": 2.5, "currency": "USD"},
    {"unit": "output tokens", "price": "10", "currency": "usd"},
]


@pytest.mark.parametrize("name", ["workloads", "prices", "offers", "criteria", "claims_given", "dossier"])
def test_examples_hold(name):
    found = doctest.testmod(importlib.import_module(f"reporting.procurement.{name}"))

    assert (found.attempted > 0, found.failed) == (True, 0)


def test_a_chat_assistant_costs_what_its_tokens_do():
    # 1e6 requests x 600 tokens = 600 M x 2.50 + 1e6 x 400 = 400 M x 10.00 = 1,500 + 4,000
    amounts = {
        name: each
        for name, each in Workload("typical", template="chat", year=2026).activity.items()
        if name not in ("stage", "tier")
    }

    answer, currency = cost_of(amounts, from_plain(SHEET))

    assert (answer.value, currency) == (5500.0, "USD")


def test_cached_tokens_are_charged_by_their_own_price_or_as_input():
    amounts = {"input_tokens": 10e6, "cached_input_tokens": 4e6, "output_tokens": 1e6}
    cached = [*SHEET, {"unit": "cached_input_tokens", "price": 0.25, "currency": "USD"}]

    assert cost_of(amounts, from_plain(SHEET))[0].value == pytest.approx(10 * 2.5 + 10)
    assert cost_of(amounts, from_plain(cached))[0].value == pytest.approx(6 * 2.5 + 4 * 0.25 + 10)


def test_what_has_no_price_makes_the_cost_unknown_and_is_named():
    answer, _ = cost_of({"input_tokens": 1e6, "output_tokens": 1e6}, from_plain(SHEET[:1]))

    assert (answer.state, answer.why, answer.detail) == ("not_known", "no_price", "output_tokens")
    assert cost_of({"input_tokens": 1.0}, [])[0].why == "no_prices"


def test_a_flat_price_covers_everything():
    flat = from_plain([{"unit": "workload", "price": 1200, "currency": "EUR"}])

    assert cost_of({"flops": 1e20}, flat)[0].value == 1200.0


def test_costs_of_another_currency_are_not_comparable():
    costs = [(Answer(value=1.0), "EUR"), (Answer(value=2.0), "USD"), (Answer(value=3.0), "EUR")]

    answers, currency = comparable(costs)

    assert currency == "EUR"
    assert [(each.state, each.detail) for each in answers] == [("known", ""), ("not_comparable", "USD"), ("known", "")]


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ([{"unit": "beauty", "price": 1, "currency": "EUR"}], "prices.1.unit"),
        ([{"unit": "requests", "price": "1,5", "currency": "EUR"}], "prices.1.price"),
        ([{"unit": "requests", "price": -1, "currency": "EUR"}], "prices.1.price"),
        ([{"unit": "requests", "price": 1, "currency": "euros"}], "prices.1.currency"),
        ([{"unit": "requests", "per": 0, "price": 1, "currency": "EUR"}], "prices.1.per"),
        ([SHEET[0], SHEET[0]], "prices.2.unit"),
        ([{"unit": "requests", "price": "nan", "currency": "EUR"}], "prices.1.price"),
    ],
)
def test_price_sheets_that_cannot_be_are_refused_whole(lines, field):
    with pytest.raises(ProcurementError) as refused:
        from_plain(lines)

    assert refused.value.field == field


def test_every_typical_workload_says_what_its_text_says():
    sizes = {name: Workload("typical", template=name, year=2026).activity for name in TEMPLATES}

    assert sizes["chat"]["requests"] == 500 * 8 * 250
    assert sizes["rag"]["requests"] == 2_000 * 365
    assert sizes["rag"]["cached_input_tokens"] == 2_000 * 365 * 1_100
    assert sizes["coding"]["requests"] == 50 * 200 * 220
    assert sizes["fine_tune"]["flops"] == pytest.approx(6 * 8e9 * (4 * 3 * 5e8))
    assert sizes["batch"]["requests"] == 20_000 * 365
    assert all("device_hours" not in each for each in sizes.values())


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": "own", "basis": "both"}, "workload.basis"),
        ({"kind": "dreamt"}, "workload.kind"),
        ({"kind": "typical", "template": "poetry", "year": 2026}, "workload.template"),
        ({"kind": "typical", "template": "chat", "year": 1066}, "workload.year"),
        (
            {"kind": "typical", "template": "chat", "year": 2026, "amounts": {"requests": -1}},
            "workload.amounts.requests",
        ),
        ({"kind": "typical", "template": "chat", "year": 2026, "amounts": {"requests": 0}}, "workload.amounts"),
        (
            {"kind": "typical", "template": "chat", "year": 2026, "amounts": {"cached_input_tokens": 601}},
            "workload.amounts.cached_input_tokens",
        ),
    ],
)
def test_workloads_that_cannot_be_are_refused(given, field):
    with pytest.raises(ProcurementError) as refused:
        workloads.from_plain(given)

    assert refused.value.field == field


def test_an_offer_is_written_and_read_without_loss():
    plain = {
        "name": "Nordic",
        "supplier": "aws",
        "provider": "aws",
        "region": "eu-north-1",
        "model": "gpt-4o",
        "source": "offer of May",
        "factors": {"pue": {"value": 1.1, "low": 1.05, "high": 1.2}},
        "prices": [{"unit": "output_tokens", "per": 1e6, "price": 10.0, "currency": "USD"}],
        "ratings": {"support": 7.0},
    }

    assert offers.as_plain(offers.from_plain(plain)) == plain


def test_an_unknown_provider_is_placed_by_its_grid():
    offer = offers.from_plain({"name": "Local", "provider": "hetzner", "zone": "DE", "model": "gpt-4o"})

    assert dict(offer.rewrite.sets) == {"zone": "DE", "model": "gpt-4o"}
    assert offer.sets["provider"] == "hetzner"


@pytest.mark.parametrize(
    ("plain", "field"),
    [
        ({}, "name"),
        ({"name": "x", "colour": "red"}, "colour"),
        ({"name": "x", "factors": {"pue": 1.1}}, "source"),
        ({"name": "x", "factors": {"pue": 0.9}, "source": "y"}, "factors.pue"),
        ({"name": "x", "factors": {"grid_g_co2e_per_kwh": 1}, "source": "y"}, "factors.grid_g_co2e_per_kwh"),
        ({"name": "x", "ratings": {"support": "good"}}, "ratings.support"),
        ({"name": "x", "ratings": {"support": {"value": 5, "low": 6, "high": 7}}}, "ratings.support"),
    ],
)
def test_offers_that_cannot_be_are_refused(plain, field):
    with pytest.raises(ProcurementError) as refused:
        offers.from_plain(plain)

    assert refused.value.field == field
