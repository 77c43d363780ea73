"""Reads of the register as figures follow from it: the tables in force, the readings of a site."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

from core.accounting.selectors.views import current_view
from core.catalog.selectors import standing_entries
from core.factors.pack import load_pack
from core.factors.selectors import pack_of
from core.quantification.pack import FactorPack
from core.quantification.site_metrics import Reading


def tables_of(organization_id: int) -> FactorPack:
    """
    Return the factor tables that say which names an entry may use: those of the current view, inside its scope.

    A set from before the register holds no fuels; the tables of this release then say which names there are, while figures
    stay null until a restatement takes a newer set.
    """
    view = current_view(organization_id)
    if view is not None:
        pack = pack_of(view.factor_set.content_hash)
        if pack.rows("fuels"):
            return pack
    return _shipped()


@lru_cache(maxsize=1)
def _shipped() -> FactorPack:
    return load_pack()


def readings_of(organization_id: int) -> dict[str, list[Reading]]:
    """Collect what the meters of each site have shown, by the site's slug; inside the organization's scope."""
    entries = standing_entries(organization_id).filter(kind__in=("meter_reading", "water"))
    found: dict[str, list[Reading]] = defaultdict(list)
    for slug, month, *shown in entries.values_list("site__slug", "day", "facility_kwh", "it_kwh", "water_l"):
        facility_kwh, it_kwh, water_l = (None if each is None else float(each) for each in shown)
        found[slug].append(Reading(month, facility_kwh, it_kwh, water_l))
    return dict(found)
