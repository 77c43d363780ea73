"""Two sources that describe the same activity count once, the rest is a cross-check."""

from __future__ import annotations

from datetime import date

import pytest

from core.accounting import services
from core.accounting.figures import Filter
from core.accounting.selectors import overlap_warnings
from core.organizations.tenancy import organization_scope

from .conftest import metered
from .test_derive import daily, table


@pytest.fixture
def two_sources(committed_db, organization, factor_set, write):
    """An agent and a bill that say the same of one cluster."""
    agent = write(metered(1, 10.0, account="cluster-a"), source="agent")
    bill = write(metered(2, 12.0, account="cluster-a"), metered(3, 3.0, account="other"), source="bill")
    return agent, bill


def roles(organization) -> dict[tuple[int, int], str]:
    rows = daily(organization)
    return {(row.source_id, row.energy_pkwh // 10**12): row.role for row in rows.itertuples()}


def test_unlinked_sources_all_count(organization, two_sources):
    agent, bill = two_sources

    services.derive_dirty_days(organization.id)

    assert roles(organization) == {(agent, 10): "counted", (bill, 12): "counted", (bill, 3): "counted"}


def test_linked_sources_count_once(organization, two_sources):
    agent, bill = two_sources
    services.derive_dirty_days(organization.id)
    unit = services.set_coverage_unit(organization_id=organization.id, name="Cluster A", counting_source_id=agent)
    services.link_source(organization_id=organization.id, source_id=agent, unit_id=unit.id)
    services.link_source(organization_id=organization.id, source_id=bill, unit_id=unit.id, account="cluster-a")

    services.derive_dirty_days(organization.id)

    assert roles(organization) == {(agent, 10): "counted", (bill, 12): "cross_check", (bill, 3): "counted"}


def test_another_counting_source_turns_the_roles(organization, two_sources):
    agent, bill = two_sources
    unit = services.set_coverage_unit(organization_id=organization.id, name="Cluster A", counting_source_id=agent)
    services.link_source(organization_id=organization.id, source_id=agent, unit_id=unit.id)
    services.link_source(organization_id=organization.id, source_id=bill, unit_id=unit.id, account="cluster-a")
    services.derive_dirty_days(organization.id)

    services.set_coverage_unit(
        organization_id=organization.id, name="Cluster A", counting_source_id=bill, reason="invoice is audited"
    )
    services.derive_dirty_days(organization.id)

    assert roles(organization) == {(agent, 10): "cross_check", (bill, 12): "counted", (bill, 3): "counted"}


def test_a_removed_link_lets_the_source_count_again(organization, two_sources):
    agent, bill = two_sources
    unit = services.set_coverage_unit(organization_id=organization.id, name="Cluster A", counting_source_id=agent)
    services.link_source(organization_id=organization.id, source_id=agent, unit_id=unit.id)
    link = services.link_source(organization_id=organization.id, source_id=bill, unit_id=unit.id)
    services.derive_dirty_days(organization.id)

    services.remove_link(organization_id=organization.id, link_id=link.id)
    services.derive_dirty_days(organization.id)

    assert set(roles(organization).values()) == {"counted"}


def test_each_change_raises_the_revision_of_the_rules(organization, two_sources):
    agent, _ = two_sources
    view = services.ensure_current_view(organization.id)

    services.declare_independent(organization_id=organization.id, source_id=agent)

    (revision,) = table(organization, "select rules_revision from accounting_view")["rules_revision"]
    assert revision == view.rules_revision + 1


def test_a_unit_of_another_organization_cannot_be_linked(organization, other_organization, two_sources, write):
    agent, _ = two_sources
    foreign = write(metered(1, 1.0), into=other_organization)
    unit = services.set_coverage_unit(organization_id=other_organization.id, name="Theirs", counting_source_id=foreign)

    with pytest.raises(services.CoverageError, match="no coverage unit"):
        services.link_source(organization_id=organization.id, source_id=agent, unit_id=unit.id)
    with pytest.raises(services.CoverageError, match="no source"):
        services.set_coverage_unit(organization_id=organization.id, name="Ours", counting_source_id=foreign)
    with organization_scope(organization.id):
        assert not table(organization, "select id from accounting_sourcelink").size


def warnings(organization):
    return overlap_warnings(organization.id, Filter(date(2026, 1, 1), date(2026, 12, 31), include=()))


def test_unlinked_sources_warn_with_their_kilograms(organization, two_sources):
    services.derive_dirty_days(organization.id)

    bill, agent = warnings(organization)

    assert (bill.source, agent.source) == ("bill", "agent")
    assert set(bill.accounts) == {"cluster-a", "other"}
    assert bill.records == 2
    assert bill.kg_co2e / agent.kg_co2e == pytest.approx(15 / 10)


def test_links_and_declarations_silence_the_warning_for_what_they_cover(organization, two_sources):
    agent, bill = two_sources
    unit = services.set_coverage_unit(organization_id=organization.id, name="Cluster A", counting_source_id=agent)
    services.link_source(organization_id=organization.id, source_id=agent, unit_id=unit.id)
    services.link_source(organization_id=organization.id, source_id=bill, unit_id=unit.id, account="cluster-a")
    services.derive_dirty_days(organization.id)

    (left,) = warnings(organization)
    services.declare_independent(organization_id=organization.id, source_id=bill, account="other")

    assert (left.source, left.accounts) == ("bill", ("other",))
    assert warnings(organization) == []


def test_an_only_source_overlaps_with_nothing(committed_db, organization, factor_set, write):
    write(metered(1, 10.0))
    services.derive_dirty_days(organization.id)

    assert warnings(organization) == []


def test_a_rule_set_while_a_day_is_first_derived_is_not_lost(organization, two_sources, monkeypatch):
    from core.accounting.services import derive

    agent, bill = two_sources
    real = derive._figures

    def figures_while_somebody_links(read, view):
        if not linked:
            linked.append(True)
            unit = services.set_coverage_unit(organization_id=organization.id, name="A", counting_source_id=agent)
            for source_id in two_sources:
                services.link_source(organization_id=organization.id, source_id=source_id, unit_id=unit.id)
        return real(read, view)

    linked: list[bool] = []
    monkeypatch.setattr(derive, "_figures", figures_while_somebody_links)

    services.derive_dirty_days(organization.id)

    assert roles(organization) == {(agent, 10): "counted", (bill, 12): "cross_check", (bill, 3): "cross_check"}


def test_settings_changed_while_a_day_is_first_derived_are_not_lost(
    committed_db, organization, factor_set, write, monkeypatch
):
    from core.accounting.services import derive
    from core.ledger.services import update_source

    source_id = write(metered(1, 10.0, team=None))
    real = derive._figures

    def figures_while_somebody_names_the_team(read, view):
        if not named:
            named.append(True)
            update_source(organization_id=organization.id, source_id=source_id, settings={"team": "platform"})
            services.rederive_source(organization_id=organization.id, source_id=source_id)
        return real(read, view)

    named: list[bool] = []
    monkeypatch.setattr(derive, "_figures", figures_while_somebody_names_the_team)

    services.derive_dirty_days(organization.id)

    assert daily(organization)["team"].tolist() == ["platform"]
