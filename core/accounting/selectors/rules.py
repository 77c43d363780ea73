"""The rules in force: sources, coverage, attribution, aliases, own factors, meter readings and own grid series."""

from __future__ import annotations

from core.accounting.models import CoverageUnit, SourceLink
from core.accounting.rules import Rules
from core.accounting.selectors.attribution import rules_in_order
from core.accounting.selectors.register import readings_of
from core.catalog.selectors import aliases
from core.factors.grid_selectors import served_in_use
from core.factors.selectors import own_factors
from core.ledger.models import Series, Snapshot, Source
from core.ledger.signals import overlaps_of
from core.organizations.tenancy import once_a_snapshot
from core.quantification.coverage import STATED, Link, UnitRule
from core.quantification.money_beside_use import SPEND_FACTOR, TWO_REPORTS
from core.quantification.series_grid import factors_of
from core.quantification.site_factors import factors_of_site


@once_a_snapshot
def rules_of(organization_id: int, *, links: tuple[Link, ...] | None = None) -> Rules:
    """
    Collect an organization's rules, inside its scope.

    Args:
        links: of sources, in place of those in force: to see what they would do.
    """
    links = links_in_order(organization_id) if links is None else links
    described = sorted({link.source_id for link in links if link.unit_id is not None})
    restated = Snapshot.objects.filter(organization_id=organization_id, source_id__in=described)
    stating = Series.objects.filter(organization_id=organization_id, source_id__in=described, evidence=STATED)
    series, profiles = factors_of(served_in_use(organization_id))
    units = CoverageUnit.objects.filter(organization_id=organization_id)
    metered = [
        factor for site, shown in readings_of(organization_id).items() for factor in factors_of_site(site, shown)
    ]
    factors = (*own_factors(organization_id), *metered, *series)
    sources = list(Source.objects.filter(organization_id=organization_id).values_list("id", "kind", "settings"))
    counts_money = any(factor.name == SPEND_FACTOR for factor in factors)
    return Rules(
        source_settings={number: settings for number, _, settings in sources},
        links=links,
        units={unit.id: UnitRule(unit.counting_source_id, tuple(unit.precedence)) for unit in units},
        restated_sources=frozenset(restated.values_list("source_id", flat=True).distinct())
        if described
        else frozenset(),
        stating_sources=frozenset(stating.values_list("source_id", flat=True).distinct()) if described else frozenset(),
        costing_sources=frozenset(number for number, kind, _ in sources if counts_money and kind in TWO_REPORTS),
        attribution=rules_in_order(organization_id),
        aliases=tuple(aliases(organization_id)),
        own_factors=factors,
        profiles=profiles,
        signals=tuple(overlaps_of(organization_id)),
    )


def links_in_order(organization_id: int) -> tuple[Link, ...]:
    """List the links of sources in the order in which they were made, inside the organization's scope."""
    links = SourceLink.objects.filter(organization_id=organization_id).order_by("id")
    return tuple(Link(link.source_id, link.account, link.unit_id, link.part) for link in links)
