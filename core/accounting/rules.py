"""Everything that an organization can say about its series, as derive takes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from core.quantification.attribute import OwnAlias, day_number
from core.quantification.attribution_rules import Rule
from core.quantification.coverage import Link, UnitRule
from core.quantification.own_factors import OwnFactor
from core.quantification.series_grid import Profile
from core.quantification.signals import SignalDays


@dataclass(frozen=True)
class Rules:
    """
    The rules in force.

    Args:
        source_settings: source id to its settings, the defaults of attribution among them.
        links: of sources to coverage units.
        units: what was said of coverage units; one that is not there has the usual order of evidence.
        restated_sources: those whose exports restate whole periods, such as bills.
        stating_sources: those that have statements of a provider.
        costing_sources: those that report use and its costs apart, where a factor makes kilograms of money.
        attribution: rules that say whose a use is, in their order, dated.
        aliases: own names, dated.
        own_factors: that go before those of the factor set, dated; what meters of sites show and own grid series among them.
        profiles: the hours behind own grid factors that are means of hourly ones, by the factor's id.
        signals: days on which services sent several signals at once.
    """

    source_settings: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    units: Mapping[int, UnitRule] = field(default_factory=dict)
    restated_sources: frozenset[int] = frozenset()
    stating_sources: frozenset[int] = frozenset()
    costing_sources: frozenset[int] = frozenset()
    attribution: tuple[Rule, ...] = ()
    aliases: tuple[OwnAlias, ...] = ()
    own_factors: tuple[OwnFactor, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    signals: tuple[SignalDays, ...] = ()

    @property
    def has_overlaps(self) -> bool:
        """Tell whether some unit is described by several links, by a statement or by one source alone, or money beside use."""
        units = [link.unit_id for link in self.links if link.unit_id is not None]
        alone = any(rule.alone is not None for rule in self.units.values())
        return alone or bool(self.stating_sources) or bool(self.costing_sources) or len(set(units)) < len(units)

    def hourly_days(self, days: Iterable[int]) -> list[int]:
        """Return those days (since 1970) on which some grid has hourly factors."""
        return [day for day in days if any(day in profile.days for profile in self.profiles.values())]

    def boundaries(self) -> npt.NDArray[np.int64]:
        """Return the days (since 1970) on which some rule begins or ends: between two of them nothing changes."""
        dated: tuple[OwnAlias | OwnFactor | Rule, ...] = (*self.attribution, *self.aliases, *self.own_factors)
        days = {day for each in dated for day in (each.valid_from, each.valid_to) if day is not None}
        of_signals = {day for each in self.signals for day in (each.from_day, each.to_day)}
        return np.array(sorted({day_number(day) for day in days} | of_signals), dtype=np.int64)
