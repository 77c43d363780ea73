"""A use: one distinct combination of what a factor depends on, and what an energy method answers for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from core.quantification.activity import MEASURES
from core.quantification.entries import Place
from core.quantification.factor import Factor
from core.quantification.methods import Methodology
from core.quantification.overrides import Given, Override
from core.quantification.pack import FactorPack
from core.quantification.resolve import Catalog, catalog_of
from core.quantification.terms import Product

PER_UNIT: Final = {measure.column: measure.per_unit for measure in MEASURES}
"""How many stored integers make one unit of a measure."""

USE_TEXT: Final = (
    "stage",
    "hosting",
    "provider",
    "region",
    "zone",
    "model",
    "hardware",
    "instance_type",
    "evidence",
    "energy_boundary",
    "reported_basis",
)
"""Text dimensions that a factor or method depends on."""


@dataclass(frozen=True)
class Use:
    """
    Hold what a plan depends on, besides factors and methodology.

    Attributes:
        present: the activity columns that the presence mask says are there.
        techniques: sorted.
        year: calendar year of the use, UTC.
        given: numbers that go before the pack's, sorted by name.
    """

    stage: str | None
    hosting: str | None
    provider: str | None
    region: str | None
    zone: str | None
    model: str | None
    hardware: str | None
    instance_type: str | None
    evidence: str | None
    energy_boundary: str | None
    reported_basis: str | None
    techniques: tuple[str, ...]
    present: frozenset[str]
    year: int
    given: Given = ()

    @cached_property
    def overrides(self) -> Mapping[str, Override]:
        """Return the overrides by name."""
        return dict(self.given)


@dataclass(frozen=True)
class Context:
    """What every rule reads: the pack with its catalog, the methodology, and where the use took place."""

    pack: FactorPack
    catalog: Catalog
    method: Methodology
    place: Place

    @classmethod
    def of(cls, use: Use, pack: FactorPack, method: Methodology) -> Context:
        """Resolve the place of a use."""
        catalog = catalog_of(pack)
        place = catalog.place(hosting=use.hosting, provider=use.provider, region=use.region, zone=use.zone)
        return cls(pack, catalog, method, place)


@dataclass(frozen=True)
class EnergyTerm:
    """One measure times coefficients that give kWh of IT energy, or of facility energy where ``at_facility``."""

    measure: str
    energy: Product
    sign: int = 1
    at_facility: bool = False


@dataclass(frozen=True)
class Energy:
    """
    What a method answers: terms of energy, its data-quality score, and whose error it shares.

    Attributes:
        family: items of one method and family share their method error (methodology 9.4).
        listed: factors to show, where they differ from the inputs of the terms.
    """

    method: str
    terms: tuple[EnergyTerm, ...]
    data_quality: int
    family: str
    listed: tuple[Factor, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refusal:
    """Why a method cannot be used although its measure is there."""

    note: str
