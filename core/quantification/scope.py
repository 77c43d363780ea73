"""The GHG Protocol scope of a record, by who runs the hardware (methodology section 8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Scopes:
    """Scope of the location- and market-based figure, of upstream, and of embodied."""

    energy: str
    upstream: str
    embodied: str


_OWN: Final = Scopes("2", "3.3", "3.2")
_BOUGHT: Final = Scopes("3.1", "3.1", "3.1")
_BY_HOSTING: Final = {"owned": _OWN, "colocated": _OWN, "cloud": _BOUGHT, "api": _BOUGHT}


def scopes_of(hosting: str | None) -> Scopes:
    """
    Return the scopes of a hosting; colocated means own servers under own control. Unknown hosting: a bought service.

    >>> scopes_of("owned").upstream
    '3.3'
    """
    return _BY_HOSTING.get(hosting or "", _BOUGHT)
