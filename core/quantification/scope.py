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


CONSOLIDATIONS: Final = ("operational_control", "financial_control")
"""Approaches by which an organization draws its boundary; equity share would weigh figures, not only book them."""

NOT_CONTROLLED: Final = {"1": "3.8", "2": "3.8", "3.3": "3.8"}
"""Where figures of a site go that the organization does not control; its own servers there stay bought goods (3.2)."""


OF_TWO_BASES: Final = "2"
"""The scope that an inventory has by location and by market; every other scope is in both of its totals alike (4.4)."""


def booked_scope(scope: str | None, *, controlled: bool) -> str | None:
    """
    Book a scope by who controls the site: a switch of the approach re-books, it computes nothing anew.

    Args:
        scope: as `scopes_of` gives it.
        controlled: of the site, under the organization's approach.

    Source: GHG Protocol Scope 3 Standard (2011), category 8: leased assets outside the boundary (methodology 8).

    >>> [booked_scope(scope, controlled=False) for scope in ("2", "3.3", "3.2", "3.1")]
    ['3.8', '3.8', '3.2', '3.1']
    """
    return scope if controlled or scope is None else NOT_CONTROLLED.get(scope, scope)


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
