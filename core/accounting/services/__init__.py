"""Writes of figures and of the rules that they follow from."""

from core.accounting.services.attribution import (
    RuleChange,
    add_rule,
    change_rule,
    end_rule,
    import_rules,
    move_rule,
    named_sources,
    remove_rule,
)
from core.accounting.services.build import build_view
from core.accounting.services.coverage import (
    CoverageError,
    declare_independent,
    link_source,
    link_together,
    rederive_source,
    remove_link,
    set_coverage_unit,
)
from core.accounting.services.derive import DeriveResult, derive_day, derive_days, derive_dirty_days
from core.accounting.services.expected import expect, expect_no_more
from core.accounting.services.grid_series import choose_granularity, import_grid_series, remove_grid_series
from core.accounting.services.instruments import (
    EntryError,
    InstrumentError,
    MarketsError,
    add_instrument_hours,
    add_instruments,
    retire_instrument,
    set_markets,
    withdraw_instrument,
)
from core.accounting.services.market_rates import cover_marked_years
from core.accounting.services.names import remove_alias, set_alias
from core.accounting.services.own_factors import add_own_factor, end_own_factor, remove_own_factor
from core.accounting.services.register import (
    add_register_entries,
    add_site,
    change_site,
    check_register_entries,
    set_consolidation,
)
from core.accounting.services.restatement import Restatement, restate
from core.accounting.services.views import (
    ViewError,
    begin_view,
    discard_abandoned_views,
    discard_view,
    ensure_current_view,
    switch_view,
)

__all__ = [
    "CoverageError",
    "DeriveResult",
    "EntryError",
    "InstrumentError",
    "MarketsError",
    "Restatement",
    "RuleChange",
    "ViewError",
    "add_instrument_hours",
    "add_instruments",
    "add_own_factor",
    "add_register_entries",
    "add_rule",
    "add_site",
    "begin_view",
    "build_view",
    "change_rule",
    "change_site",
    "check_register_entries",
    "choose_granularity",
    "cover_marked_years",
    "declare_independent",
    "derive_day",
    "derive_days",
    "derive_dirty_days",
    "discard_abandoned_views",
    "discard_view",
    "end_own_factor",
    "end_rule",
    "ensure_current_view",
    "expect",
    "expect_no_more",
    "import_grid_series",
    "import_rules",
    "link_source",
    "link_together",
    "move_rule",
    "named_sources",
    "rederive_source",
    "remove_alias",
    "remove_grid_series",
    "remove_link",
    "remove_own_factor",
    "remove_rule",
    "restate",
    "retire_instrument",
    "set_alias",
    "set_consolidation",
    "set_coverage_unit",
    "set_markets",
    "switch_view",
    "withdraw_instrument",
]
