"""Everything that an organization can say about its series, as derive takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from core.quantification.attribute import OwnAlias, day_number
from core.quantification.coverage import Link


@dataclass(frozen=True)
class Rules:
    """
    The rules in force.

    Args:
        source_settings: source id to its settings, the defaults of attribution among them.
        links: of sources to coverage units.
        counting: coverage unit to the source that counts in it.
        aliases: own names, dated.
    """

    source_settings: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    counting: Mapping[int, int] = field(default_factory=dict)
    aliases: tuple[OwnAlias, ...] = ()

    def boundaries(self) -> npt.NDArray[np.int64]:
        """Return the days (since 1970) on which some rule begins or ends: between two of them nothing changes."""
        days = {day for alias in self.aliases for day in (alias.valid_from, alias.valid_to) if day is not None}
        return np.array(sorted(day_number(day) for day in days), dtype=np.int64)
