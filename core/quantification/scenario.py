"""
Rules of a scenario: which cells are rewritten, and what to. Immutable values, read from plain ones and checked.

Rules look at what was recorded, never at what other rules made of it, so their order does not matter. What multiplies
(amounts, savings) multiplies; what sets (names, factors) may be said once for a cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from core.quantification.activity import HOSTINGS, MEASURES, TIERS
from core.quantification.entries import API_PROVIDERS, cloud_of
from core.quantification.overrides import ImpossibleFactor, parse_override
from core.quantification.own_factors import implausible
from core.quantification.resolve import Catalog

SETS: Final = ("hosting", "provider", "region", "zone", "model", "hardware", "instance_type", "tier")
"""Dimensions that a rule can give another value."""
PLACE: Final = ("provider", "region", "zone")
"""What says where: giving one of them another value forgets what was known of the former place."""

FACTORS: Final = ("pue", "grid_g_co2e_per_kwh", "market_g_co2e_per_kwh")
"""Factors that a rule can give: of the building, of the grid, and of a contract for electricity."""

VOLUME: Final = "volume"
SCALED: Final[Mapping[str, tuple[str, ...]]] = {
    VOLUME: tuple(measure.column for measure in MEASURES),
    "input_tokens": ("input_tokens", "cached_input_tokens"),
    "output_tokens": ("output_tokens", "generation_ns"),
    "device_hours": ("device_nh", "device_low_nh", "device_middle_nh", "device_high_nh"),
    "instance_hours": ("instance_nh", "instance_low_nh", "instance_middle_nh", "instance_high_nh"),
    "flops": ("gflop",),
    "energy_kwh": ("energy_pkwh",),
    "seat_months": ("nano_seat_months",),
}
"""Amounts that a rule can multiply, each with the measures that go with it; ``volume`` is all of them."""

MOST_RULES: Final = 20
MOST_SCALE: Final = 1000.0
MOST_VALUES: Final = 200
LONGEST: Final = 200

Interval = tuple[float, float, float]
"""Value, low, high."""

Dims = Mapping[str, tuple[str, ...]]
"""Dimension to the values that it may have."""


class ScenarioError(ValueError):
    """A scenario that cannot be; ``field`` says what to mend, such as ``rules.2.sets.model``, the message why."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Rewrite:
    """
    One rule of a scenario.

    Args:
        where: dimension to the names that it may have, as figures show them; every one must fit. None: every cell.
        share: of each cell that is rewritten, above 0 to 1; the rest stays as it is.
        sets: dimension of ``SETS`` to name.
        techniques: that are used; each takes the place of one of its kind (``quantized:int4`` of ``quantized:int8``).
        factors: of ``FACTORS``: value, low, high.
        scales: of ``SCALED``: what the amounts are multiplied by.
        energy_saving: share of the energy that a measure saves: value, low, high; negative where it costs energy. [1]
        price: what the cost is multiplied by; None: not known, unless the rule only changes the volume.
        source: where the numbers come from.
    """

    where: Dims = field(default_factory=dict)
    share: float = 1.0
    sets: Mapping[str, str] = field(default_factory=dict)
    techniques: tuple[str, ...] = ()
    factors: Mapping[str, Interval] = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)
    energy_saving: Interval | None = None
    price: float | None = None
    source: str = ""

    @property
    def changes(self) -> dict[str, object]:
        """Name everything that the rule changes, with what to: what two rules may not say differently of one cell."""
        kinds = {f"technique {each.partition(':')[0]}": each for each in self.techniques}
        return {**self.sets, **self.factors, **kinds}

    @property
    def only_volume(self) -> bool:
        """Tell whether nothing changes but how much is done, at the same price for each."""
        return not self.changes and self.energy_saving is None and set(self.scales) <= {VOLUME}


# --- plain values -----------------------------------------------------------------------------------------------------

FIELDS: Final = ("where", "share", "sets", "techniques", "factors", "scales", "energy_saving", "price", "source")


def as_plain(rule: Rewrite) -> dict[str, Any]:
    """Write a rule as JSON takes it; what it does not say is left out."""
    plain: dict[str, Any] = {
        "where": {name: list(values) for name, values in sorted(rule.where.items())},
        "share": rule.share,
        "sets": dict(sorted(rule.sets.items())),
        "techniques": list(rule.techniques),
        "factors": {name: _plain_interval(each) for name, each in sorted(rule.factors.items())},
        "scales": dict(sorted(rule.scales.items())),
        "energy_saving": None if rule.energy_saving is None else _plain_interval(rule.energy_saving),
        "price": rule.price,
        "source": rule.source,
    }
    return {
        name: value
        for name, value in plain.items()
        if value not in (None, "", [], {}) and (name, value) != ("share", 1.0)
    }


def _plain_interval(given: Interval) -> Any:
    value, low, high = given
    return value if low == value == high else {"value": value, "low": low, "high": high}


def from_plain(rules: object) -> tuple[Rewrite, ...]:
    """
    Read rules from plain values, as `as_plain` writes them.

    Raises:
        ScenarioError: naming the first field that cannot be read.

    >>> from_plain([{"sets": {"region": "eu-north-1"}, "share": 0.5}])[0].share
    0.5
    """
    if not isinstance(rules, list) or not rules:
        raise ScenarioError("rules", "A scenario has at least one rule: a list of objects.")
    if len(rules) > MOST_RULES:
        raise ScenarioError("rules", f"A scenario has at most {MOST_RULES} rules.")
    return tuple(_rule(f"rules.{number}", each) for number, each in enumerate(rules, start=1))


def _rule(at: str, given: object) -> Rewrite:
    if not isinstance(given, Mapping):
        raise ScenarioError(at, "A rule is an object.")
    for name in given:
        if name not in FIELDS:
            raise ScenarioError(f"{at}.{name}", f"There is no field {name!r}: use {', '.join(FIELDS)}.")
    saving, price = given.get("energy_saving"), given.get("price")
    rule = Rewrite(
        where=_where(f"{at}.where", given.get("where", {})),
        share=_number(f"{at}.share", given.get("share", 1.0)),
        sets=_texts(f"{at}.sets", given.get("sets", {}), SETS),
        techniques=_list(f"{at}.techniques", given.get("techniques", [])),
        factors={
            name: _interval(f"{at}.factors.{name}", each)
            for name, each in _object(f"{at}.factors", given.get("factors", {}), FACTORS).items()
        },
        scales={
            name: _number(f"{at}.scales.{name}", each)
            for name, each in _object(f"{at}.scales", given.get("scales", {}), tuple(SCALED)).items()
        },
        energy_saving=None if saving is None else _interval(f"{at}.energy_saving", saving),
        price=None if price is None else _number(f"{at}.price", price),
        source=_text(f"{at}.source", given.get("source", "")) if given.get("source") else "",
    )
    _check_numbers(at, rule)
    _check_sets(at, rule)
    return rule


def _object(at: str, given: object, allowed: Sequence[str] | None = None) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ScenarioError(at, "This is an object of names and values.")
    for name in given:
        if allowed is not None and name not in allowed:
            raise ScenarioError(f"{at}.{name}", f"{name!r} is not one of {', '.join(allowed)}.")
    return given


def _where(at: str, given: object) -> dict[str, tuple[str, ...]]:
    found = {}
    for name, values in _object(at, given).items():
        listed = _list(f"{at}.{name}", [values] if isinstance(values, str) else values, empty=True)
        if not listed:
            raise ScenarioError(f"{at}.{name}", f"The condition {name} names no value.")
        found[str(name)] = listed
    return found


def _texts(at: str, given: object, allowed: Sequence[str]) -> dict[str, str]:
    return {name: _text(f"{at}.{name}", value) for name, value in _object(at, given, allowed).items()}


def _list(at: str, given: object, *, empty: bool = False) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or len(given) > MOST_VALUES:
        raise ScenarioError(at, f"This is a list of at most {MOST_VALUES} names.")
    return tuple(dict.fromkeys("" if empty and each == "" else _text(at, each) for each in given))


def _text(at: str, given: object) -> str:
    if not isinstance(given, str) or not given.strip() or len(given) > LONGEST or "\0" in given:
        raise ScenarioError(at, f"This is text of 1 to {LONGEST} characters.")
    return given.strip()


def _number(at: str, given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise ScenarioError(at, f"{given!r} is no number.")
    return float(given)


def _interval(at: str, given: object) -> Interval:
    if isinstance(given, Mapping):
        if set(given) != {"value", "low", "high"}:
            raise ScenarioError(at, "An interval has value, low and high.")
        value, low, high = (_number(f"{at}.{name}", given[name]) for name in ("value", "low", "high"))
    else:
        value = low = high = _number(at, given)
    if not low <= value <= high:
        raise ScenarioError(at, f"{value:g} lies outside {low:g} to {high:g}.")
    return value, low, high


# --- checks -----------------------------------------------------------------------------------------------------------


def _check_numbers(at: str, rule: Rewrite) -> None:
    """Refuse numbers that cannot be, and rules that change nothing. Raises ScenarioError."""
    if not (rule.changes or rule.scales or rule.energy_saving is not None or rule.price is not None):
        raise ScenarioError(at, "The rule changes nothing: say what it sets, multiplies or saves.")
    if not 0.0 < rule.share <= 1.0:
        raise ScenarioError(f"{at}.share", "The share is above 0 and at most 1: 0.3 for 30 %.")
    for name, scale in rule.scales.items():
        if not 0.0 <= scale <= MOST_SCALE:
            raise ScenarioError(f"{at}.scales.{name}", f"Amounts are multiplied by 0 to {MOST_SCALE:g}.")
    if rule.price is not None and not 0.0 <= rule.price <= MOST_SCALE:
        raise ScenarioError(f"{at}.price", f"The cost is multiplied by 0 to {MOST_SCALE:g}.")
    for name, (value, low, high) in rule.factors.items():
        try:
            parse_override(name, {"value": value, "low": low, "high": high})
        except ImpossibleFactor as error:
            raise ScenarioError(f"{at}.factors.{name}", str(error)) from error
        if reason := implausible(name, value):
            raise ScenarioError(f"{at}.factors.{name}", reason)
    if rule.energy_saving is not None and not (rule.energy_saving[1] >= -10.0 and rule.energy_saving[2] < 1.0):
        raise ScenarioError(
            f"{at}.energy_saving", "A saving is a share below 1: 0.25 for 25 %, negative where it costs."
        )
    if (rule.energy_saving is not None or rule.factors) and not rule.source:
        raise ScenarioError(f"{at}.source", "Say where the number comes from: a measurement, a contract, a paper.")


def _check_sets(at: str, rule: Rewrite) -> None:
    """Refuse what one use cannot be at once. Raises ScenarioError."""
    if {"region", "zone"} <= set(rule.sets):
        raise ScenarioError(f"{at}.sets.zone", "Give the region or the zone of the grid: a region lies in its own.")
    kinds = [each.partition(":")[0] for each in rule.techniques]
    if len(set(kinds)) < len(kinds):
        raise ScenarioError(f"{at}.techniques", "Two techniques of one kind cannot both be used.")


def check_names(rules: Sequence[Rewrite], catalog: Catalog, own_names: Mapping[str, frozenset[str]]) -> None:
    """
    Refuse names that no factor is known for.

    Args:
        own_names: dimension to the names that the organization has own factors for, in small letters.

    Raises:
        ScenarioError: naming the first rule and dimension at fault.
    """
    for number, rule in enumerate(rules, start=1):
        for name, value in rule.sets.items():
            if value.casefold() in own_names.get(name, frozenset()):
                continue
            if reason := _unknown(name, value, rule, catalog):
                raise ScenarioError(f"rules.{number}.sets.{name}", reason)


def _unknown(name: str, value: str, rule: Rewrite, catalog: Catalog) -> str | None:
    """Say why a name cannot be set, None where it can."""
    provider = rule.sets.get("provider")
    if name in ("hosting", "tier"):
        allowed = HOSTINGS if name == "hosting" else TIERS
        return None if value in allowed else f"{value!r} is not one of {', '.join(allowed)}."
    if name == "provider":
        known = cloud_of(value) is not None or value.casefold() in API_PROVIDERS
        return None if known else f"No provider is called {value!r}."
    if name == "zone":
        found: object = catalog.place(hosting=None, provider=None, region=None, zone=value).zones
        return None if found else f"There is no grid factor for a zone {value!r}."
    if name == "region":
        place = catalog.place(hosting=rule.sets.get("hosting"), provider=provider, region=value, zone=None)
        if provider is None or (place.zones and (place.region or cloud_of(provider) is None)):
            return None  # without a provider the cells' own decide, see `rewriting`
        return f"{provider} has no region {value!r} in the catalog."
    if name == "model":
        looked: object = catalog.model(value, provider)
    elif name == "hardware":
        looked = catalog.hardware(value)
    else:
        looked = catalog.instance(value, provider)
    return None if looked is not None else f"The catalog has no {name.replace('_', ' ')} {value!r}."
