"""What a target asks for: read from what somebody sent, written as it is stored, and refused where it contradicts itself."""

from __future__ import annotations

import calendar
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from core.accounting.figures import BASES, FILTERS, INCLUDES, Filter, FilterError

EMISSIONS, ENERGY, WATER = "emissions", "energy", "water"
MEASURES: Final = (EMISSIONS, ENERGY, WATER)
LINEAR, STEPPED, COMPOUND, CONTRACTION, CEILING = "linear", "stepped", "compound", "contraction", "ceiling"
PATHS: Final = (LINEAR, STEPPED, COMPOUND, CONTRACTION, CEILING)
"""Straight to the end by way of the milestones; in steps at the milestones; a rate of what is left; the absolute contraction
of the SBTi; the same limit all the time."""
MINIMUM_ANNUAL_RATES: Final = {"1.5C": 0.042, "well-below-2C": 0.025}
"""Linear, of the base year, a year: SBTi cross-sector absolute contraction."""
COUNTED_FROM: Final = 2020
"""A later base year does not shorten the way: the minimum is counted from here (SBTi criteria)."""
EARLIEST_BASE_YEAR: Final = 2015
THRESHOLD: Final = 0.05
LATEST_YEAR: Final = 2100
MOST_MILESTONES: Final = 20
FIELDS: Final = (
    "measure",
    "per",
    "filter",
    "basis",
    "include",
    "path",
    "base_from",
    "base_to",
    "target_year",
    "annual_rate",
    "reduction",
    "milestones",
    "ambition",
    "ceiling",
    "starts_on",
    "significance_threshold",
)


class TargetError(ValueError):
    """A target, or a step in its life, that cannot be; ``field`` names what is at fault, the message says why."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Milestone:
    """A year on the way, and the share of the base that is gone by then."""

    year: int
    reduction: float


@dataclass(frozen=True)
class Definition:
    """
    A target without its name.

    Args:
        measure: of ``MEASURES``.
        per: name of the functional unit that emissions are divided by; "" for an absolute target.
        dims: dimension to the values that it is about; empty: the whole organization.
        basis, include: as `Filter` has them; an intensity is location-based with the amortised hardware (SCI).
        path: of ``PATHS``.
        base_from, base_to: the base period, whole months, a year at most; None for a ceiling.
        target_year: the last year of the path; None: a ceiling without an end.
        reduction: share of the base that is gone in the target year, however it was given.
        annual_rate: what was given instead of it, share a year.
        ambition: of ``MINIMUM_ANNUAL_RATES``, of a contraction.
        ceiling: at most, in kg CO2e, kWh or L a year, or in kg CO2e per unit.
        starts_on: first day of a ceiling.
        significance_threshold: share of the base from which changes of structure recalculate it.
    """

    measure: str = EMISSIONS
    per: str = ""
    dims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    basis: str = BASES[0]
    include: tuple[str, ...] = INCLUDES
    path: str = LINEAR
    base_from: date | None = None
    base_to: date | None = None
    target_year: int | None = None
    reduction: float | None = None
    annual_rate: float | None = None
    milestones: tuple[Milestone, ...] = ()
    ambition: str = ""
    ceiling: float | None = None
    starts_on: date | None = None
    significance_threshold: float = THRESHOLD

    @property
    def base_year(self) -> int | None:
        """Return the year in which the base period ends."""
        return None if self.base_to is None else self.base_to.year

    def filter(self, first: date, last: date, **options: Any) -> Filter:
        """Ask for the figures that the target is about."""
        return Filter(first, last, dims=self.dims, basis=self.basis, include=self.include, **options)

    def same_figures(self, other: Definition) -> bool:
        """Tell whether two targets are about the very same figures."""
        mine, theirs = (
            (
                each.measure,
                each.per,
                {name: set(values) for name, values in each.dims.items()},
                each.basis,
                set(each.include),
            )
            for each in (self, other)
        )
        return mine == theirs

    def years(self) -> tuple[int, int]:
        """Return the first and the last year that the target says something about."""
        first = self.base_year if self.starts_on is None else self.starts_on.year
        return first or 0, self.target_year or LATEST_YEAR


def as_plain(definition: Definition) -> dict[str, Any]:
    """Write a definition as it is stored and sent."""
    return {
        "measure": definition.measure,
        "per": definition.per,
        "filter": {name: list(values) for name, values in sorted(definition.dims.items())},
        "basis": definition.basis,
        "include": list(definition.include),
        "path": definition.path,
        "base_from": _day_text(definition.base_from),
        "base_to": _day_text(definition.base_to),
        "target_year": definition.target_year,
        "annual_rate": definition.annual_rate,
        "reduction": definition.reduction,
        "milestones": [{"year": each.year, "reduction": each.reduction} for each in definition.milestones],
        "ambition": definition.ambition,
        "ceiling": definition.ceiling,
        "starts_on": _day_text(definition.starts_on),
        "significance_threshold": definition.significance_threshold,
    }


def from_plain(given: object) -> Definition:
    """
    Read a definition. What is absent, null or empty takes its default.

    Raises:
        TargetError: a name there is not, a value that cannot be, or a target that contradicts itself.
    """
    if not isinstance(given, Mapping):
        raise TargetError("target", "A target is an object of named values.")
    for name in given:
        if name not in FIELDS:
            raise TargetError(str(name), f"There is no field {name!r}: use {', '.join(FIELDS)}.")
    said = {name: value for name, value in given.items() if value not in (None, "", [], {})}
    for name in ("filter", "include"):  # an empty one says something: nothing is left of the figures
        if name in given and given[name] is not None:
            said[name] = given[name]
    path = _word(said, "path", PATHS, LINEAR)
    definition = Definition(
        measure=_word(said, "measure", MEASURES, EMISSIONS),
        per=_text(said, "per"),
        dims=_dims(said.get("filter", {})),
        basis=_word(said, "basis", BASES, BASES[0]),
        include=_include(said),
        path=path,
        base_from=_day(said, "base_from"),
        base_to=_day(said, "base_to"),
        target_year=_year(said.get("target_year"), "target_year"),
        reduction=_share(said, "reduction"),
        annual_rate=_share(said, "annual_rate"),
        milestones=_milestones(said.get("milestones", [])),
        ambition=_word(said, "ambition", tuple(MINIMUM_ANNUAL_RATES), "1.5C" if path == CONTRACTION else ""),
        ceiling=_number(said, "ceiling"),
        starts_on=_day(said, "starts_on"),
        significance_threshold=THRESHOLD
        if (threshold := _share(said, "significance_threshold")) is None
        else threshold,
    )
    return checked(definition)


def checked(definition: Definition) -> Definition:
    """Hold a definition to itself and fill in what follows. Raises TargetError with the first contradiction."""
    _check_measure(definition)
    return _checked_ceiling(definition) if definition.path == CEILING else _checked_way(definition)


def _check_measure(definition: Definition) -> None:
    if definition.per and definition.measure != EMISSIONS:
        raise TargetError("per", f"Only emissions are divided by a unit: {definition.measure} is an absolute target.")
    if definition.per and definition.basis != BASES[0]:
        raise TargetError("basis", "An intensity is location-based: no contract comes in (ISO/IEC 21031).")
    if definition.per and definition.include != INCLUDES:
        raise TargetError("include", "The parts of an intensity are those of ISO/IEC 21031: leave include out.")
    if not 0 < definition.significance_threshold <= 1:
        raise TargetError("significance_threshold", "The threshold is a share above 0, such as 0.05 for 5 %.")


def _checked_ceiling(definition: Definition) -> Definition:
    if definition.ceiling is None or definition.ceiling <= 0:
        raise TargetError("ceiling", "Say how much at most, more than 0.")
    if definition.starts_on is None:
        raise TargetError("starts_on", "Say from which day the ceiling holds.")
    if definition.starts_on.day != 1:
        raise TargetError("starts_on", "A ceiling holds from the first of a month.")
    for name in ("base_from", "base_to", "reduction", "annual_rate", "milestones", "ambition"):
        if getattr(definition, name):
            raise TargetError(name, "A ceiling is the same all the time: it has no base, rate or milestones.")
    if definition.target_year is not None and definition.target_year < definition.starts_on.year:
        raise TargetError("target_year", "The target year lies before the ceiling begins.")
    return definition


def _checked_way(definition: Definition) -> Definition:
    if definition.ceiling is not None or definition.starts_on is not None:
        raise TargetError(
            "ceiling", "A limit and its first day belong to a ceiling: choose that path or leave them out."
        )
    first, last = _base_period(definition)
    if definition.target_year is None:
        raise TargetError("target_year", "Say by which year.")
    if definition.target_year <= last.year:
        raise TargetError(
            "target_year", f"The target year {definition.target_year} is not after the base year {last.year}."
        )
    if definition.path == STEPPED and not definition.milestones:
        raise TargetError("milestones", "A stepped path needs its steps.")
    years = definition.target_year - last.year
    reduction = _reduction_of(definition, years)
    milestones = tuple(sorted(definition.milestones, key=lambda each: each.year))
    for before, each in zip((Milestone(last.year, 0.0), *milestones), milestones, strict=False):
        if not last.year < each.year <= definition.target_year:
            raise TargetError(
                "milestones", f"The milestone {each.year} lies outside {last.year + 1} to {definition.target_year}."
            )
        if each.year == before.year:
            raise TargetError("milestones", f"There are two milestones in {each.year}.")
        if each.reduction < before.reduction or each.reduction > reduction:
            raise TargetError(
                "milestones",
                f"{each.year} would take off {each.reduction:.1%}, which contradicts {before.reduction:.1%} in"
                f" {before.year} and {reduction:.1%} in {definition.target_year}.",
            )
    if milestones and definition.path in (COMPOUND, CONTRACTION):
        raise TargetError("milestones", f"A {definition.path} path follows its rate; milestones belong to another.")
    if milestones and milestones[-1].year == definition.target_year and milestones[-1].reduction != reduction:
        raise TargetError("milestones", f"Two reductions are said for {definition.target_year}.")
    return Definition(
        **{name: getattr(definition, name) for name in definition.__dataclass_fields__}
        | {"reduction": reduction, "milestones": milestones, "base_from": first, "base_to": last}
    )


def _base_period(definition: Definition) -> tuple[date, date]:
    first, last = definition.base_from, definition.base_to
    if first is None or last is None:
        raise TargetError("base_from", "Say the first and the last day of the base period.")
    if last < first:
        raise TargetError("base_to", "The base period ends before it begins.")
    if first.day != 1 or last.day != calendar.monthrange(last.year, last.month)[1]:
        raise TargetError("base_from", "A base period is of whole months.")
    if (last.year - first.year) * 12 + last.month - first.month >= 12:
        raise TargetError("base_to", "A base period is a year at most.")
    return first, last


def _reduction_of(definition: Definition, years: int) -> float:
    """Tell which share is gone in the target year, by what was given: a reduction, a rate, or the last milestone."""
    rate, given = definition.annual_rate, definition.reduction
    if definition.path == CONTRACTION:
        return _contraction(definition, years)
    if given is not None and rate is not None:
        by_rate = _by_rate(definition.path, rate, years)
        if not math.isclose(by_rate, given, abs_tol=5e-4):
            raise TargetError(
                "annual_rate",
                f"{rate:.1%} a year takes off {by_rate:.1%} in {years} years, not {given:.1%}: say one of both.",
            )
        return given
    if given is None and rate is None and definition.milestones:
        given = max(each.reduction for each in definition.milestones)
    reduction = _by_rate(definition.path, rate, years) if given is None and rate is not None else given
    if reduction is None:
        raise TargetError("reduction", "Say how much is to be gone in the target year, or a rate a year.")
    if not 0 < reduction <= 1:
        raise TargetError("reduction", f"The target takes off {reduction:.1%} of the base: above 0 and at most 100 %.")
    if definition.path == COMPOUND and reduction == 1:
        raise TargetError("reduction", "A compound rate never reaches zero.")
    return reduction


def _by_rate(path: str, rate: float, years: int) -> float:
    return 1.0 - math.pow(1.0 - rate, years) if path == COMPOUND else rate * years


def _contraction(definition: Definition, years: int) -> float:
    """Take the minimum of the SBTi, or more where more is asked for."""
    if definition.per or definition.measure != EMISSIONS:
        raise TargetError("path", "The absolute contraction of the SBTi is about emissions, not about a rate of them.")
    base_year, target_year = definition.base_year or 0, definition.target_year or 0
    if base_year < EARLIEST_BASE_YEAR:
        raise TargetError("base_from", f"The SBTi takes no base year before {EARLIEST_BASE_YEAR}.")
    minimum = least_contraction(base_year, target_year, definition.ambition)
    rate = definition.annual_rate
    asked = definition.reduction if definition.reduction is not None else None if rate is None else rate * years
    if asked is None:
        return minimum
    if asked > 1:
        raise TargetError("reduction", f"The target takes off {asked:.1%} of the base: at most 100 %.")
    if asked < minimum - 1e-9:
        raise TargetError(
            "reduction",
            f"{asked:.1%} by {target_year} is less than the {minimum:.1%} that the SBTi asks for at least"
            f" ({MINIMUM_ANNUAL_RATES[definition.ambition]:.1%} a year from {min(base_year, COUNTED_FROM)}).",
        )
    return asked


def least_contraction(base_year: int, target_year: int, ambition: str = "1.5C") -> float:
    """
    Return the least share that an absolute contraction takes off by a year.

    4.2 % of the base a year for 1.5 degrees, 2.5 % for well below 2; after 2020 the base year does not shorten the way.

    Source: Science Based Targets initiative, corporate near-term criteria: minimum linear annual reduction.

    >>> round(least_contraction(2020, 2030), 3), round(least_contraction(2024, 2030), 3), least_contraction(2018, 2028)
    (0.42, 0.42, 0.42)
    """
    return min(1.0, round(MINIMUM_ANNUAL_RATES[ambition] * (target_year - min(base_year, COUNTED_FROM)), 12))


# --- reading ------------------------------------------------------------------------------------------------------------


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name, "")
    if not isinstance(value, str):
        raise TargetError(name, f"{name} is text.")
    return value.strip()


def _word(said: Mapping[str, Any], name: str, allowed: Sequence[str], default: str) -> str:
    value = _text(said, name) or default
    if value and value not in allowed:
        raise TargetError(name, f"{name} is one of {', '.join(allowed)}, not {value!r}.")
    return value


def _dims(given: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, Mapping):
        raise TargetError("filter", "A filter is an object: dimension to a list of values.")
    dims: dict[str, tuple[str, ...]] = {}
    for name, values in given.items():
        if name not in FILTERS or name == "run":
            known = ", ".join(each for each in FILTERS if each != "run")
            raise TargetError("filter", f"{name!r} is no dimension of a target: use {known}.")
        if not isinstance(values, list | tuple) or not all(isinstance(each, str) and each.strip() for each in values):
            raise TargetError("filter", f"The values of {name} are a list of text.")
        if not values:
            raise TargetError("filter", f"The filter {name} names no value: leave it out for all of them.")
        dims[name] = tuple(dict.fromkeys(each.strip() for each in values))
    return dims


def _include(said: Mapping[str, Any]) -> tuple[str, ...]:
    given = said.get("include", list(INCLUDES))
    if not isinstance(given, list | tuple):
        raise TargetError("include", f"include is a list of {', '.join(INCLUDES)}.")
    try:
        Filter(date(2000, 1, 1), date(2000, 1, 1), include=tuple(str(each) for each in given))
    except FilterError as error:
        raise TargetError("include", str(error)) from error
    return tuple(each for each in INCLUDES if each in given)


def _day(said: Mapping[str, Any], name: str) -> date | None:
    value = said.get(name)
    if value is None or type(value) is date:
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise TargetError(name, f"{name} is a day: write 2026-01-01.") from None


def _day_text(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _number(said: Mapping[str, Any], name: str) -> float | None:
    value = said.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TargetError(name, f"{name} is a number.")
    return float(value)


def _share(said: Mapping[str, Any], name: str) -> float | None:
    value = _number(said, name)
    if value is not None and not 0 <= value <= 1:
        raise TargetError(name, f"{name} is a share between 0 and 1: write 0.42 for 42 %.")
    return value


def _year(value: object, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 2000 <= value <= LATEST_YEAR:
        raise TargetError(name, f"A year lies between 2000 and {LATEST_YEAR}.")
    return value


def _milestones(given: object) -> tuple[Milestone, ...]:
    if not isinstance(given, list | tuple) or len(given) > MOST_MILESTONES:
        raise TargetError("milestones", f"Milestones are a list of at most {MOST_MILESTONES}: year and reduction.")
    found = []
    for each in given:
        if not isinstance(each, Mapping) or set(each) != {"year", "reduction"}:
            raise TargetError("milestones", "A milestone has a year and a reduction.")
        year, reduction = _year(each["year"], "milestones"), _share(each, "reduction")
        if year is None or reduction is None:
            raise TargetError("milestones", "A milestone has a year and a reduction.")
        found.append(Milestone(year, reduction))
    return tuple(found)
