"""How sure a match is: what a reported name was taken for, by which rule, and whether somebody should look at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.quantification.resolve import Catalog

KINDS: Final = ("model", "hardware", "instance_type", "region", "zone")
"""Dimensions whose reported names are looked up."""

CONFIDENCE: Final = {
    "name": "exact",
    "own_alias": "exact",
    "alias": "sure",
    "pattern": "sure",
    "version": "sure",
    "fine_tuned": "guess",
    "snapshot": "guess",
    "spelling": "guess",
    "assumed_variant": "guess",
    "code": "sure",
    "wider_zone": "sure",
    "default": "guess",
    "none": "none",
}
"""How a name was recognised, to how sure that is: ``exact``, ``sure``, ``guess`` (look at it) or ``none`` (not known)."""


@dataclass(frozen=True)
class Match:
    """
    What a reported name is taken for.

    Attributes:
        kind: one of ``KINDS``.
        matched_to: by the catalog's name; None where it is not known.
        by: how it was recognised, a key of ``CONFIDENCE``.
    """

    kind: str
    matched_to: str | None
    by: str

    @property
    def confidence(self) -> str:
        """Return ``exact``, ``sure``, ``guess`` or ``none``."""
        return CONFIDENCE[self.by]


def match_name(
    catalog: Catalog, kind: str, name: str | None, *, provider: str | None = None, hosting: str | None = None
) -> Match:
    """
    Say what a name is taken for.

    Args:
        kind: one of ``KINDS``.
        name: as reported, or what an own alias makes of it; None: a place that is not reported at all.
        provider, hosting: of the series that reports it: names of instances, regions and models differ between them.
    """
    if kind == "model":
        model = catalog.model(name, provider)
        return Match(kind, model.name, model.matched_by) if model else _unknown(kind)
    if kind == "hardware":
        hardware = catalog.hardware(name)
        by = "assumed_variant" if hardware is not None and hardware.assumed_variant else "name"
        return Match(kind, hardware.id, by) if hardware else _unknown(kind)
    if kind == "instance_type":
        instance = catalog.instance(name, provider)
        return Match(kind, instance.name, "name") if instance else _unknown(kind)
    return _place(catalog, kind, name, provider, hosting)


def _place(catalog: Catalog, kind: str, name: str | None, provider: str | None, hosting: str | None) -> Match:
    place = catalog.place(
        hosting=hosting,
        provider=provider,
        region=name if kind == "region" else None,
        zone=name if kind == "zone" else None,
    )
    said = (name or "").strip().casefold()
    if place.region is not None:
        spelled = place.region.casefold() == said
        return Match(kind, place.region, "name" if spelled else "code")
    if not place.zones:
        return _unknown(kind)
    zone, match = place.zones[0]
    if match == "provider":
        return Match(kind, zone, "default")
    return Match(kind, zone, "name" if zone.casefold() == said else "wider_zone")


def _unknown(kind: str) -> Match:
    return Match(kind, None, "none")
