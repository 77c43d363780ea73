"""What names were taken for, and what rests on each factor: of a period, as the figures were derived."""

from __future__ import annotations

import json
from datetime import date
from io import StringIO

import pytest
from django.core.management import call_command

from core.accounting import services
from core.accounting.figures import Filter
from core.accounting.selectors import current_view, factor_uses, name_matches
from core.factors.selectors import pack_of
from core.organizations.tenancy import organization_scope

from .conftest import call, metered

JULY = Filter(date(2026, 7, 1), date(2026, 7, 31))


@pytest.fixture
def derived(committed_db, organization, factor_set, write):
    """Known, guessed and unknown names of July, with 10 kWh at a German facility among them."""
    write(
        call(1),
        call(2, model="ft:gpt-4o-mini-2024-07-18:acme::id"),
        call(3, model="House-Model"),
        call(4, model="house-model"),
        call(5, model="GPT 4o mini", provider="azure", region="Sweden Central"),
        metered(1, 10.0, energy_boundary="facility"),
        metered(2, 1.0, zone="XX-NOWHERE", energy_boundary="facility"),
        metered(3, 5.0, day="2026-08-01", energy_boundary="facility"),
    )
    services.derive_dirty_days(organization.id)


def view_of(organization):
    with organization_scope(organization.id):
        return current_view(organization.id)


def matches(organization, asked=JULY):
    view = view_of(organization)
    found = name_matches(organization.id, view, pack_of(view.factor_set.content_hash), asked)
    return {(each.kind, each.reported): each for each in found}


def test_names_say_what_they_were_taken_for_and_how_sure_that_is(organization, derived):
    found = matches(organization)

    assert {key: (each.matched_to, each.by, each.confidence) for key, each in found.items()} == {
        ("model", "House-Model"): (None, "none", "none"),
        ("model", "house-model"): (None, "none", "none"),
        ("zone", "XX-NOWHERE"): (None, "none", "none"),
        ("model", "ft:gpt-4o-mini-2024-07-18:acme::id"): ("gpt-4o-mini-2024-07-18", "fine_tuned", "guess"),
        ("model", "GPT 4o mini"): ("gpt-4o-mini", "spelling", "guess"),
        ("zone", None): ("US", "default", "guess"),  # OpenAI does not say where it ran
        ("region", "Sweden Central"): ("swedencentral", "code", "sure"),
        ("model", "gpt-4o"): ("gpt-4o", "name", "exact"),
        ("zone", "DE"): ("DE", "name", "exact"),
    }


def test_what_rests_on_a_name_is_counted(organization, derived):
    found = matches(organization)

    germany = found["zone", "DE"]
    assert (germany.records, germany.without_figure, germany.energy_kwh) == (1, 0, 10.0)
    assert germany.location_kg_co2e == pytest.approx(3.29)  # 10 kWh x 329.0 g
    house = found["model", "House-Model"]
    assert (house.records, house.without_figure, house.energy_kwh) == (1, 1, None)
    assert found["zone", None].records == 4


def test_the_least_sure_names_stand_first(organization, derived):
    view = view_of(organization)

    found = name_matches(organization.id, view, pack_of(view.factor_set.content_hash), JULY)

    order = ["none", "guess", "sure", "exact"]
    assert [each.confidence for each in found] == sorted((each.confidence for each in found), key=order.index)


def test_an_alias_makes_a_name_sure(organization, derived):
    services.set_alias(organization_id=organization.id, kind="model", reported="house-model", resolves_to="gpt-4o")
    services.derive_dirty_days(organization.id)

    found = matches(organization)

    assert found["model", "House-Model"].matched_to == "gpt-4o"
    assert (found["model", "House-Model"].by, found["model", "House-Model"].confidence) == ("own_alias", "exact")


def test_an_alias_to_a_name_that_nobody_knows_stays_unknown(organization, derived):
    services.set_alias(organization_id=organization.id, kind="model", reported="house-model", resolves_to="nothing-3")

    assert matches(organization)["model", "house-model"].confidence == "none"


def test_another_organization_s_names_are_not_listed(organization, other_organization, derived, write):
    write(call(9, model="their-model"), into=other_organization)
    services.derive_dirty_days(other_organization.id)

    assert ("model", "their-model") not in matches(organization)
    assert [key for key in matches(other_organization) if key[0] == "model"] == [("model", "their-model")]


def test_each_factor_says_what_rests_on_it(organization, derived):
    uses = factor_uses(organization.id, view_of(organization), JULY)

    grid = uses["grid_intensity_annual--eea:DE:2023"]
    assert (grid.names, grid.records) == (("grid_location", "grid_market", "grid_upstream"), 1)
    assert grid.energy_kwh == pytest.approx(10.0)
    assert grid.kg_co2e == pytest.approx(3.29 + 0.346)  # 10 kWh x 329.0 g, and x (363.6 - 329.0) g upstream
    model = uses["models--ecologits-0.11.3:gpt-4o"]
    assert model.names == ("adpe", "embodied", "primary_energy", "token_energy")
    assert model.records == 1
    assert 0.0 < model.energy_kwh < 0.1


def test_the_use_of_a_factor_is_that_of_the_period(organization, derived):
    august = Filter(date(2026, 8, 1), date(2026, 8, 31))

    uses = factor_uses(organization.id, view_of(organization), august)

    assert uses["grid_intensity_annual--eea:DE:2023"].kg_co2e == pytest.approx(1.818)  # 5 kWh x 363.6 g
    assert "models--ecologits-0.11.3:gpt-4o" not in uses


def test_the_command_lists_what_to_look_at(organization, derived):
    out = StringIO()

    call_command("factors", "unmatched", "--organization", organization.slug, "--format", "json", stdout=out)

    rows = json.loads(out.getvalue())
    assert {row["confidence"] for row in rows} == {"none", "guess"}
    assert {row["reported"] for row in rows if row["confidence"] == "none"} == {
        "House-Model",
        "house-model",
        "XX-NOWHERE",
    }
    text = StringIO()
    call_command("factors", "unmatched", "--organization", organization.slug, "--period", "2026-07", stdout=text)
    assert "House-Model" in text.getvalue()
    assert "manage.py alias set" in text.getvalue()
