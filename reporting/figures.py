"""How every number is written: one unit per column, three significant digits, and what is not known stays "-".

Plain functions over values, for pages, chart labels and the command line alike. Values come in kWh, kg, L, plain
counts and shares (0 to 1); None and NaN mean unknown. Text uses U+2212 as minus sign and U+202F, a narrow no-break
space, before units. Numbers are in the locale that is named, else in the page's (``written_in``). Exports do not come
through here: they carry full precision and a point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Final, Literal

from babel import Locale
from babel.numbers import (
    format_compact_decimal,
    format_currency,
    format_decimal,
    get_decimal_symbol,
    get_group_symbol,
    get_minus_sign_symbol,
    parse_pattern,
)

MINUS: Final = "\u2212"
THIN: Final = "\u202f"
DASH: Final = "\u2013"
UNKNOWN: Final = "-"

Number = float | int | Decimal
Translate = Callable[[str], str]


def as_is(text: str) -> str:
    """Stand in for gettext where no language is chosen."""
    return text


@dataclass(frozen=True)
class Scale:
    """A unit for a whole column or chart: ``shown = value * factor``, with the decimals of its largest value."""

    unit: str
    factor: float
    decimals: int
    digits: int = 3
    resolution: float = 0.0  # the smallest amount told apart from nothing, in the column's own unit of ``value``

    def shown(self, value: Number) -> float:
        """Convert a value to the unit, unrounded."""
        return float(value) * self.factor


# Steps as (unit, factor from the stored unit); a step is used from 1 of its unit upwards.
MASS: Final = (("mg", 1e6), ("g", 1e3), ("kg", 1.0), ("t", 1e-3))
ENERGY: Final = (("Wh", 1e3), ("kWh", 1.0), ("MWh", 1e-3), ("GWh", 1e-6))
WATER: Final = (("mL", 1e3), ("L", 1.0), ("m\u00b3", 1e-3))
INTENSITY: Final = (("µg", 1e9), *MASS)
STEPS: Final = {"mass": MASS, "energy": ENERGY, "water": WATER, "intensity": INTENSITY}
RESOLUTION: Final = {"mass": 5e-7, "energy": 0.0, "water": 0.0, "intensity": 0.0}
"""Mass below 0.5 mg (5e-7 kg) is shown as "< 0.5 mg"; the other kinds go down to their digits."""

_mass_unit: ContextVar[str | None] = ContextVar("wattledger_mass_unit", default=None)


@contextmanager
def masses_in(unit: str | None) -> Iterator[None]:
    """Write every mass of a page in one unit, "kg" or "t", which its reader has fixed; None: what fits."""
    before = _mass_unit.set(unit)
    try:
        yield
    finally:
        _mass_unit.reset(before)


_locale: ContextVar[str] = ContextVar("wattledger_locale", default="en")


@contextmanager
def written_in(locale: str) -> Iterator[None]:
    """Write every number of a page as one locale does: "de" writes 1.234,5."""
    before = _locale.set(locale)
    try:
        yield
    finally:
        _locale.reset(before)


Kind = Literal["mass", "energy", "water", "intensity"]


def is_unknown(value: Number | None) -> bool:
    """Tell whether there is no value to show. Unknown is not zero."""
    return value is None or not math.isfinite(value)


def rounded(value: Number, digits: int) -> float:
    """
    Round to significant digits, halves away from zero.

    >>> rounded(1_234_567, 3), rounded(0.0123456, 3), rounded(2.345, 3)
    (1230000.0, 0.0123, 2.35)
    """
    if not value:
        return 0.0
    exact = Decimal(repr(float(value)))
    return float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - digits + 1), ROUND_HALF_UP))


def scale_for(kind: Kind, values: Iterable[Number | None], *, digits: int = 3, unit: str | None = None) -> Scale:
    """
    Choose the unit of a column or chart from its largest value, and the decimals that give it ``digits`` digits.

    Args:
        kind: "mass" [kg], "energy" [kWh], "water" [L], or "intensity": mass per something [kg].
        values: all values that will be shown with this scale; unknown ones are left out.
        unit: a unit that the reader has fixed, for example "t".

    >>> scale_for("mass", [184_200.0, 900.0]).unit, scale_for("mass", [0.412]).unit, scale_for("mass", [999.7]).unit
    ('t', 'g', 't')
    """
    largest = max((abs(float(value)) for value in values if value is not None and math.isfinite(value)), default=0.0)
    steps = STEPS[kind]
    if kind == "mass":
        unit = unit or _mass_unit.get()
    if unit is None:
        # Rounding comes first: 999.7 kg with three digits is 1,000 kg, so the column is in t. Nothing is 0 kg.
        fitting = [step for step in steps if rounded(largest, digits) * step[1] >= 1]
        base = next(step for step in steps if step[1] == 1.0)
        chosen = base if largest == 0 else (fitting[-1] if fitting else steps[0])
    else:
        chosen = next(step for step in steps if step[0] == unit)
    return Scale(*chosen, decimals_for(largest * chosen[1], digits), digits, RESOLUTION[kind])


def plain_scale(values: Iterable[Number | None], *, digits: int = 3, unit: str = "", factor: float = 1.0) -> Scale:
    """Keep the unit as it is (intensities, money, counts) and choose only the decimals of the column."""
    largest = max((abs(float(value)) for value in values if value is not None and math.isfinite(value)), default=0.0)
    return Scale(unit, factor, decimals_for(largest * factor, digits), digits)


def decimals_for(largest: float, digits: int) -> int:
    """
    Say how many decimal places give ``largest`` its significant digits.

    >>> decimals_for(184.2, 3), decimals_for(0.74, 3), decimals_for(1_230, 3), decimals_for(9.996, 3)
    (0, 3, 0, 1)
    """
    if largest == 0:
        return 0
    return max(0, digits - 1 - math.floor(math.log10(rounded(largest, digits))))


def number(value: Number | None, scale: Scale, *, locale: str | None = None, sign: bool = False) -> str:
    """
    Write a value in a column's unit, without the unit.

    A value that is there but too small for the column reads "< 0.1", never 0: zero means measured zero.

    >>> column = scale_for("mass", [62_400.0, 14_800.0])
    >>> number(62_400, column), number(14_800, column), number(3, column), number(0, column), number(None, column)
    ('62.4', '14.8', '< 0.1', '0', '-')
    >>> number(-1_900, column, sign=True), number(6_100, column, sign=True)
    ('\u22121.9', '+6.1')
    """
    if value is None or is_unknown(value):
        return UNKNOWN
    if value == 0:
        return "0"
    locale = locale or _locale.get()
    shown = scale.shown(value)
    size = abs(shown)
    # A total above the column's largest value must not claim more digits than they have.
    decimals = min(scale.decimals, decimals_for(size, scale.digits)) if size >= 1 else scale.decimals
    places = Decimal(1).scaleb(-decimals)
    minus = MINUS if shown < 0 else "+" if sign else ""
    if scale.resolution and abs(float(value)) < scale.resolution:
        return below(scale.resolution * scale.factor, minus, locale)
    exact = Decimal(repr(rounded(size, scale.digits))).quantize(places, ROUND_HALF_UP)
    if exact == 0:
        return below(float(places), minus, locale)
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    return minus + patterned(exact, pattern, locale)


def patterned(value: Decimal, pattern: str, locale: str) -> str:
    """Write a number by a pattern of the locale data, each of which is read once: a table has thousands of numbers."""
    return str(_pattern(pattern).apply(value, _locale_data(locale)))


_pattern = lru_cache(maxsize=64)(parse_pattern)
_locale_data = lru_cache(maxsize=16)(Locale.parse)


def below(limit: float, minus: str, locale: str) -> str:
    """Write that something is there, closer to zero than ``limit``."""
    text = patterned(Decimal(repr(limit)), "#,##0.##########", locale)
    return f"> {MINUS}{text}" if minus == MINUS else f"< {text}"


def quantity(
    value: Number | None,
    kind: Kind,
    *,
    scale: Scale | None = None,
    digits: int = 3,
    locale: str | None = None,
    sign: bool = False,
) -> str:
    """
    Write one value with its unit, in its own scale unless a column's is given.

    >>> quantity(1_234_567, "mass"), quantity(0.0004, "energy"), quantity(2e-7, "mass"), quantity(0, "mass")
    ('1,230\u202ft', '0.400\u202fWh', '< 0.5\u202fmg', '0\u202fkg')
    """
    if is_unknown(value):
        return UNKNOWN
    scale = scale or scale_for(kind, [value], digits=digits)
    return f"{number(value, scale, locale=locale, sign=sign)}{THIN}{scale.unit}"


def interval(low: Number | None, high: Number | None, scale: Scale, *, locale: str | None = None) -> str:
    """
    Write a range without its unit: an en dash, or "to" where a minus sign would be read wrongly.

    >>> interval(151_000, 226_000, scale_for("mass", [184_200]))
    '151\u2013226'
    """
    if low is None or high is None or is_unknown(low) or is_unknown(high):
        return UNKNOWN
    ends = (number(low, scale, locale=locale), number(high, scale, locale=locale))
    if ends[0] == ends[1]:
        return ends[0]
    return (f" {DASH} " if low < 0 or "<" in ends[0] else DASH).join(ends)


def count(value: Number | None, *, compact: bool = True, locale: str | None = None) -> str:
    """
    Write a count: grouped digits, and from a million upwards three digits with the language's own short word.

    >>> count(1_204), count(447_000_000), count(447_000_000, locale="de"), count(12_345_678, compact=False)
    ('1,204', '447\u202fM', '447\u202fMio.', '12,345,678')
    """
    if value is None or is_unknown(value):
        return UNKNOWN
    locale = locale or _locale.get()
    minus = MINUS if value < 0 else ""
    size = abs(float(value))
    if not compact or size < 999_500:
        return minus + format_decimal(round(size), locale=locale)
    short = rounded(size, 3)
    text = format_compact_decimal(short, fraction_digits=2, locale=locale)
    digits = len(text) - len(text.lstrip("0123456789.,"))
    return f"{minus}{text[:digits]}{THIN}{text[digits:].strip()}"


def percent(share: Number | None, *, locale: str | None = None, sign: bool = False) -> str:
    """
    Write a share as a percentage: no decimals, one below 10 %. Almost all is not all, almost nothing not nothing.

    >>> percent(0.63), percent(0.008), percent(0.9996), percent(0.0001), percent(1), percent(-0.114)
    ('63\u202f%', '0.8\u202f%', '> 99\u202f%', '< 0.1\u202f%', '100\u202f%', '\u221211\u202f%')
    """
    if share is None or is_unknown(share):
        return UNKNOWN
    locale = locale or _locale.get()
    size = abs(Decimal(repr(float(share)))) * 100
    minus = MINUS if share < 0 else "+" if sign and share > 0 else ""
    one = size.quantize(Decimal("0.1"), ROUND_HALF_UP)
    if size == 0:
        text = "0"
    elif one == 0:
        text = "< " + patterned(Decimal("0.1"), "0.0", locale)
    elif one < 10:
        text = minus + patterned(one, "0.0", locale)
    elif Decimal("99.5") <= size < 100:
        text = "> 99"
    else:
        text = minus + patterned(size.quantize(Decimal(1), ROUND_HALF_UP), "#,##0", locale)
    return f"{text}{THIN}%"


def grouped(text: str, *, locale: str | None = None) -> str:
    """
    Rewrite a number that Python has written ("-1,234.5", "2e-05") with the locale's signs; its digits stay.

    >>> grouped("-1,234.5"), grouped("-1,234.5", locale="de")
    ('\u22121,234.5', '\u22121.234,5')
    """
    locale = locale or _locale.get()
    signs = {",": get_group_symbol(locale), ".": get_decimal_symbol(locale), "-": MINUS}
    return "".join(signs.get(sign, sign) for sign in text)


def money(value: Number | None, currency: str | None, *, locale: str | None = None) -> str:
    """
    Write an amount of money: cents below 100, whole units from there on.

    >>> money(12_345.6, "EUR"), money(3.5, "USD"), money(None, "EUR")
    ('€12,346', '$3.50', '-')
    """
    if value is None or is_unknown(value):
        return UNKNOWN
    locale = locale or _locale.get()
    amount = Decimal(repr(float(value)))
    if currency is None:
        return number(value, plain_scale([value]), locale=locale)
    if abs(amount) < 100:
        text = format_currency(amount, currency, locale=locale)
    else:
        whole = amount.quantize(Decimal(1), ROUND_HALF_UP)
        pattern = Locale.parse(locale).currency_formats["standard"].pattern.replace(".00", "")
        text = format_currency(whole, currency, format=pattern, locale=locale, currency_digits=False)
    return text.replace(get_minus_sign_symbol(locale), MINUS)


@dataclass(frozen=True)
class Change:
    """A comparison of two periods, ready to show: never by colour alone."""

    direction: Literal["up", "down", "same", "none"]
    text: str  # "11 %", or why there is no percentage
    meaning: Literal["good", "bad", "neutral"]
    words: str  # for screen readers and titles: "11 % less"


SMALLEST_BASE_SHARE: Final = 0.01
SMALLEST_BASE_KG: Final = 0.1
LARGEST_COVERAGE_GAP: Final = 0.05


def change(
    present: Number | None,
    base: Number | None,
    *,
    less_is_good: bool | None = True,
    smallest_base: float = SMALLEST_BASE_KG,
    coverage: tuple[float, float] | None = None,
    locale: str | None = None,
    translate: Translate = as_is,
) -> Change:
    """
    Compare a figure with its base, and refuse where a percentage would mislead.

    Args:
        present: the figure of this period, same unit as ``base``.
        less_is_good: True for emissions, False where more is better, None for volumes, which are neutral.
        smallest_base: base below which no percentage is given. [kg, or the figure's own unit; 0 for none]
        coverage: shares covered now and then; a gap above 5 points is named instead of a percentage.

    >>> change(88.6, 100).text, change(88.6, 100).words, change(88.6, 100).meaning
    ('11\u202f%', '11\u202f% less', 'good')
    >>> change(5000, 3).text, change(10, 9, coverage=(0.61, 0.94)).text
    ('n/a: base too small', 'coverage 61\u202f% vs 94\u202f%')
    """
    _ = translate
    if present is None or base is None or is_unknown(present) or is_unknown(base):
        return Change("none", UNKNOWN, "neutral", _("not known"))
    if coverage and abs(coverage[0] - coverage[1]) > LARGEST_COVERAGE_GAP + 1e-9:
        now, then = (percent(share, locale=locale) for share in coverage)
        text = _("coverage {now} vs {then}").format(now=now, then=then)
        return Change("none", text, "neutral", text)
    if base <= 0 or base < SMALLEST_BASE_SHARE * abs(float(present)) or base < smallest_base:
        text = _("n/a: base too small")
        return Change("none", text, "neutral", text)
    share = (float(present) - float(base)) / float(base)
    if round(share * 1000) == 0:
        return Change("same", _("no change"), "neutral", _("no change"))
    size = percent(abs(share), locale=locale)
    direction: Literal["up", "down"] = "up" if share > 0 else "down"
    words = (_("{size} more") if share > 0 else _("{size} less")).format(size=size)
    if less_is_good is None:
        return Change(direction, size, "neutral", words)
    return Change(direction, size, "good" if (share < 0) == less_is_good else "bad", words)
