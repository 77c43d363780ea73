"""The effect of a name or a link is shown as derive then makes it."""

from __future__ import annotations

import pytest

from core.accounting import services
from core.accounting.selectors.rules_effect import NEW_UNIT, alias_effect, links_effect
from core.quantification.attribute import OwnAlias
from core.quantification.coverage import Link

from .conftest import call
from .test_derive import table


def counted_kg(organization) -> float:
    """Read what counts from the stored daily rows. [kg CO2e]"""
    query = (
        "select coalesce(sum(d.location_nkg + d.upstream_nkg + d.embodied_nkg), 0)::float8 / 1e9 as kg"
        " from accounting_daily d join accounting_resolved_series r on r.id = d.resolved_id where r.role = 'counted'"
    )
    return float(table(organization, query)["kg"][0])


def test_the_effect_of_a_name_is_what_derive_then_makes_of_it(committed_db, organization, factor_set, write):
    write(call(1, model="House-Model"), call(2, model="house-model"))
    services.derive_dirty_days(organization.id)

    effect = alias_effect(organization.id, OwnAlias("model", "HOUSE-model", "gpt-4o"))
    services.set_alias(organization_id=organization.id, kind="model", reported="house-model", resolves_to="gpt-4o")
    services.derive_dirty_days(organization.id)

    assert effect is not None
    assert (effect.records, effect.before_without_figure, effect.after_without_figure) == (2, 2, 0)
    assert effect.before_kg_co2e == 0
    assert effect.after_kg_co2e == pytest.approx(counted_kg(organization), rel=1e-9)
    assert effect.after_kg_co2e > 0


def test_a_name_of_a_zone_puts_records_on_that_grid(committed_db, organization, factor_set, write):
    write(call(1, zone="House-Zone", region=None))
    services.derive_dirty_days(organization.id)

    effect = alias_effect(organization.id, OwnAlias("zone", "house-zone", "PL"))
    services.set_alias(organization_id=organization.id, kind="zone", reported="house-zone", resolves_to="PL")
    services.derive_dirty_days(organization.id)

    assert table(organization, "select zone from accounting_resolved_series where zone = 'PL'")["zone"].tolist() == [
        "PL"
    ]
    assert effect is not None
    assert effect.after_kg_co2e == pytest.approx(counted_kg(organization), rel=1e-9)
    assert effect.change_kg_co2e != 0


def test_a_name_that_nobody_reports_has_no_effect(committed_db, organization, factor_set, write):
    write(call(1))
    services.derive_dirty_days(organization.id)

    assert alias_effect(organization.id, OwnAlias("model", "nobody-says-so", "gpt-4o")) is None


def test_the_effect_of_a_link_is_what_derive_then_displaces(committed_db, organization, factor_set, write):
    first, second = (
        write(call(number, account="org-1"), source=name) for number, name in enumerate(("gateway", "export"))
    )
    services.derive_dirty_days(organization.id)
    alone = counted_kg(organization) / 2

    effect = links_effect(organization.id, [Link(each, "org-1", NEW_UNIT) for each in (first, second)])
    unit = services.set_coverage_unit(organization_id=organization.id, name="org-1")
    for each in (first, second):
        services.link_source(organization_id=organization.id, source_id=each, account="org-1", unit_id=unit.id)
    services.derive_dirty_days(organization.id)

    assert effect is not None
    assert effect.before_kg_co2e == pytest.approx(2 * alone, rel=1e-9)
    # both say the same of one request: one of them counts, the other is a cross-check
    assert effect.after_kg_co2e == pytest.approx(alone, rel=1e-9)
    assert effect.displaced_kg_co2e == pytest.approx(alone, rel=1e-9)
    assert counted_kg(organization) == pytest.approx(alone, rel=1e-9)
