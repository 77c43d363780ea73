"""Markets of contractual instruments: which countries or zones count as one, so that a certificate may cross between them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

DEFAULTS: Final[Mapping[str, tuple[str, ...]]] = {
    "AIB": tuple(
        "AT BE BG CH CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LT LU LV ME NL NO PT RS SE SI SK".split()  # noqa: SIM905
    ),
}
"""
Guarantees of origin cross borders between the countries whose issuing bodies are joined by the hub of the Association of
Issuing Bodies. Every other country is a market of its own; an organization may say otherwise.
"""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}")
_MEMBER: Final = re.compile(r"[A-Z0-9][A-Z0-9_.-]{1,39}")


class MarketsError(ValueError):
    """Markets that cannot be; the message says why."""


@dataclass(frozen=True)
class Markets:
    """
    Sets of countries and zones that form one market each.

    Args:
        members: name to countries (ISO 3166-1 alpha-2) or grid zones; a place is in one of them at most.
    """

    members: Mapping[str, Sequence[str]] = field(default_factory=lambda: DEFAULTS)

    def of(self, zone: str, country: str) -> str:
        """
        Return the market of a place: that of its zone, else that of its country, else the country itself.

        >>> Markets().of("DE", "DE"), Markets().of("EGRID-CAMX", "US")
        ('AIB', 'US')
        """
        for place in (zone, country):
            for name, places in self.members.items():
                if place in places:
                    return name
        return country

    def named(self, text: str, countries: Mapping[str, str]) -> str | None:
        """
        Return the market that somebody means by its name, or by one of its places; None where there is none.

        Args:
            countries: every known zone to its country.
        """
        for name in self.members:
            if name.casefold() == text.strip().casefold():
                return name
        place = text.strip().upper()
        country = countries.get(place, place if place in countries.values() else "")
        return self.of(place, country) if country else None


def own_markets(own: Mapping[str, Sequence[str]]) -> Markets:
    """
    Put an organization's own markets before the defaults: a place that it names leaves its default market.

    Raises:
        MarketsError: a name or place that cannot be, or a place in two markets.

    >>> own_markets({"US-CA": ["US", "CA"], "Switzerland": ["CH"]}).of("CH", "CH")
    'Switzerland'
    """
    taken: dict[str, str] = {}
    for name, places in own.items():
        if not _NAME.fullmatch(name):
            raise MarketsError(
                f"{name!r} is no name of a market: use up to 40 letters, digits, spaces, dots or hyphens."
            )
        if not places:
            raise MarketsError(f"The market {name} has no country.")
        for place in places:
            if not _MEMBER.fullmatch(place):
                raise MarketsError(f"{place!r} in {name} is no country or zone, such as DE or EGRID-CAMX.")
            if place in taken:
                raise MarketsError(f"{place} is in two markets, {taken[place]} and {name}.")
            taken[place] = name
    rest = {
        name: tuple(place for place in places if place not in taken)
        for name, places in DEFAULTS.items()
        if name not in own
    }
    return Markets({**{name: tuple(places) for name, places in own.items()}, **rest})
