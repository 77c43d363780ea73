"""Offers: who would run the workload where and on what, by which prices, and the points that people give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from core.quantification.entries import API_PROVIDERS, cloud_of
from core.quantification.scenario import SETS, Interval, Rewrite, ScenarioError
from core.quantification.scenario import as_plain as rules_as_plain
from core.quantification.scenario import from_plain as rules_from_plain
from reporting.procurement import prices as price_sheets
from reporting.procurement.answers import ProcurementError
from reporting.procurement.prices import Price

LONGEST: Final = 100
LONGEST_NOTE: Final = 2_000
TEXTS: Final = ("name", "supplier", "note", "source")
FACTORS: Final = ("pue", "market_g_co2e_per_kwh")
FIELDS: Final = (*TEXTS, *SETS, "factors", "prices", "ratings")


def is_known(provider: str) -> bool:
    """Tell whether any factor is tied to a provider."""
    return cloud_of(provider) is not None or provider.casefold() in API_PROVIDERS


@dataclass(frozen=True)
class Offer:
    """
    One offer.

    Args:
        name: of the offer, once in an evaluation.
        supplier: whose dossier is looked at; a provider's slug.
        sets: what the workload would run as: names of `core.quantification.scenario.SETS`. None: as it was recorded.
        factors: of ``FACTORS`` that the offer promises, with their source: value, low, high.
        source: the document that they are in.
        prices: of the price sheet.
        ratings: name of a criterion to points: value, low, high.
    """

    name: str
    supplier: str = ""
    sets: Mapping[str, str] = field(default_factory=dict)
    factors: Mapping[str, Interval] = field(default_factory=dict)
    source: str = ""
    note: str = ""
    prices: tuple[Price, ...] = ()
    ratings: Mapping[str, Interval] = field(default_factory=dict)

    @property
    def rewrite(self) -> Rewrite | None:
        """Write the offer as a rule for every use; None where all would stay as it was recorded."""
        sets = dict(self.sets)
        if "zone" in sets and "region" not in sets and not is_known(sets.get("provider", "")):
            sets.pop("provider", None)  # no factor is tied to a provider that nobody knows: its grid says where it is
        if not sets and not self.factors:
            return None
        return Rewrite(sets=sets, factors=dict(self.factors), source=self.source)


def as_plain(offer: Offer) -> dict[str, Any]:
    """Write an offer as JSON takes it; what it does not say is left out."""
    plain: dict[str, Any] = {name: getattr(offer, name) for name in TEXTS}
    plain |= dict(sorted(offer.sets.items()))
    plain["factors"] = rules_as_plain(Rewrite(factors=offer.factors))["factors"] if offer.factors else {}
    plain["prices"] = price_sheets.as_plain(offer.prices)
    plain["ratings"] = {
        name: low if low == value == high else {"value": value, "low": low, "high": high}
        for name, (value, low, high) in sorted(offer.ratings.items())
    }
    return {name: value for name, value in plain.items() if value not in ("", {}, [])}


def from_plain(given: object) -> Offer:
    """
    Read an offer from plain values, as `as_plain` writes them.

    Raises:
        ProcurementError: naming the field that cannot be.

    >>> from_plain({"name": "Nordic", "provider": "aws", "region": "eu-north-1"}).sets["region"]
    'eu-north-1'
    """
    if not isinstance(given, Mapping):
        raise ProcurementError("offer", "An offer is an object.")
    for name in given:
        if name not in FIELDS:
            raise ProcurementError(str(name), f"There is no field {name!r}: use {', '.join(FIELDS)}.")
    texts = {name: _text(name, given.get(name, ""), LONGEST_NOTE if name == "note" else LONGEST) for name in TEXTS}
    if not texts["name"]:
        raise ProcurementError("name", f"Give the offer a name of 1 to {LONGEST} characters.")
    sets = {name: given[name] for name in SETS if given.get(name)}
    factors = given.get("factors") or {}
    if isinstance(factors, Mapping) and (unknown := [name for name in factors if name not in FACTORS]):
        raise ProcurementError(f"factors.{unknown[0]}", f"An offer can promise {', '.join(FACTORS)}.")
    rule = _rule(sets, factors, texts["source"])
    ratings = given.get("ratings") or {}
    if not isinstance(ratings, Mapping):
        raise ProcurementError("ratings", "Ratings are an object of names and points.")
    return Offer(
        **texts,
        sets=rule.sets if rule else {},
        factors=rule.factors if rule else {},
        prices=price_sheets.from_plain(given.get("prices") or []),
        ratings={str(name): _rating(f"ratings.{name}", each) for name, each in ratings.items()},
    )


def _rule(sets: Mapping[str, Any], factors: object, source: str) -> Rewrite | None:
    if not sets and not factors:
        return None
    plain = {"sets": sets, "factors": factors} | ({"source": source} if source else {})
    try:
        (rule,) = rules_from_plain([plain])
    except ScenarioError as error:
        raise ProcurementError(field_of(error), str(error)) from error
    return rule


def field_of(error: ScenarioError) -> str:
    """
    Name an offer's field by that of the rule that it is.

    >>> field_of(ScenarioError("rules.1.sets.region", "")), field_of(ScenarioError("rules.1.factors.pue", ""))
    ('region', 'factors.pue')
    """
    return error.field.removeprefix("rules.1.").removeprefix("sets.")


def _text(name: str, given: object, most: int) -> str:
    if not isinstance(given, str) or len(given) > most or "\0" in given:
        raise ProcurementError(name, f"This is text of at most {most} characters.")
    return given.strip() if name == "note" else " ".join(given.split())


def _rating(at: str, given: object) -> Interval:
    if isinstance(given, Mapping):
        if set(given) != {"value", "low", "high"}:
            raise ProcurementError(at, "A range has value, low and high.")
        value, low, high = (price_sheets.number(f"{at}.{name}", given[name]) for name in ("value", "low", "high"))
    else:
        value = low = high = price_sheets.number(at, given)
    if not low <= value <= high:
        raise ProcurementError(at, f"{value:g} lies outside {low:g} to {high:g}.")
    return value, low, high
