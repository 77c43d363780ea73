"""Reads of figures: views and their watermark, the rules in force, emissions, and what does not agree."""

from core.accounting.selectors.emissions import EmissionsResult, disclosure_bridge, emissions
from core.accounting.selectors.factor_use import FactorUse, factor_uses
from core.accounting.selectors.matches import NameMatch, name_matches
from core.accounting.selectors.overlaps import OverlapWarning, overlap_warnings
from core.accounting.selectors.rules import rules_of
from core.accounting.selectors.views import current_view, live_views, views, watermark

__all__ = [
    "EmissionsResult",
    "FactorUse",
    "NameMatch",
    "OverlapWarning",
    "current_view",
    "disclosure_bridge",
    "emissions",
    "factor_uses",
    "live_views",
    "name_matches",
    "overlap_warnings",
    "rules_of",
    "views",
    "watermark",
]
