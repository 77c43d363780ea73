"""The one reading of a query string: the same names on every page, in the API and in links between them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.http import QueryDict

from core.accounting.figures import (
    BASES,
    BOOKINGS,
    FILTERS,
    GRAINS,
    INCLUDES,
    Filter,
    FilterError,
    Period,
    parse_period,
)
from core.organizations.identity import Identity
from core.organizations.policy import narrowing

OPTIONS: Final = ("period", "from", "to", "cmp", "by", "grain", "basis", "include", "role", "booking", "unit")
PAGES_ONLY: Final = ("mass", "as_of", "metric")
"""What only pages take: the fixed unit of masses, the short link whose stored view is read, what the main chart shows."""
MASS_UNITS: Final = ("kg", "t")
METRICS: Final = ("emissions", "target", "intensity", "measured")
"""What the main chart can show over time: emissions by stage, their sum against the path, per 1,000 requests, by evidence."""
PAGE_KEYS: Final = ("metric", "tz", "q", "sort", "after", "org", "format", "impact", "record", "page", "tab", "rows")
EARLIEST_YEAR: Final = 1990
LATEST_YEAR: Final = 2200
SINGLE: Final = ("period", "from", "to", "cmp", "grain", "basis", "booking", "unit", *PAGES_ONLY)


@dataclass(frozen=True)
class Query:
    """
    What a page or call of the API asks for.

    Attributes:
        filter: the figures asked for, narrowed to what the asker may see.
        comparison: the same for the period to compare with, or None.
        params: what the address says, by name.
        allowed: what narrows the asker's view whatever they ask for, by dimension; empty for who may see everything.
        label: how the period is named in its address: 2026-Q3, or two days.
        errors: what could not be read, one sentence each; the rest is answered all the same.
        fiscal_start: month (1 to 12) that a fiscal year starts in.
        pinned: what a short link "as of" holds the figures to, for the page to say.
    """

    filter: Filter
    comparison: Filter | None
    label: str
    params: dict[str, tuple[str, ...]]
    allowed: dict[str, tuple[str, ...]]
    errors: tuple[str, ...] = field(default=())
    fiscal_start: int = 1
    pinned: dict[str, Any] | None = None

    def pinning(self, **params: str) -> str:
        """Write a query string for pages that take no filters: its own parameters, and what keeps it to the stored view."""
        pin = {"as_of": self.params["as_of"][0]} if "as_of" in self.params else {}
        return f"?{urlencode(params | pin)}" if params or pin else ""

    def inside(self, **dims: str | tuple[str, ...]) -> Query:
        """Narrow to what dimensions name, such as one team: its comparison and its links too."""
        own = {name: (value,) if isinstance(value, str) else value for name, value in dims.items()}
        comparison = self.comparison and replace(self.comparison, dims={**self.comparison.dims, **own})
        filtered = replace(self.filter, dims={**self.filter.dims, **own})
        return replace(self, filter=filtered, comparison=comparison, params=self.params | own)

    def link(self, **changes: str | tuple[str, ...] | None) -> str:
        """Write the query string of this query with some parameters changed; None takes one out."""
        params = dict(self.params)  # what chooses figures; a place in a list, a format, a record are given anew
        for name, value in changes.items():
            key = name.rstrip("_")
            if value is None:
                params.pop(key, None)
            else:
                params[key] = (value,) if isinstance(value, str) else value
        return "?" + urlencode(sorted(params.items()), doseq=True)


def read_query(
    data: QueryDict,
    *,
    identity: Identity,
    today: date,
    fiscal_start: int = 1,
    opening: str = "",
    strict: bool = False,
) -> Query:
    """
    Read a query string, keep what can be read, and say what cannot.

    The default is the last complete quarter against the one before, all teams, location-based with upstream and embodied. An
    open period is compared with as many days of the one before.

    Args:
        today: UTC.
        opening: the period where the address names none; default: the last complete quarter.
        strict: (the API) the first fault is raised as FilterError instead.
    """
    errors: list[str] = []
    params = read_params(data, identity, errors, strict=strict)
    period, label = read_period(
        params, errors, today=today, fiscal_start=fiscal_start, opening=opening or latest_quarter(today), strict=strict
    )
    filtered = Filter(period.from_day, period.to_day, dims=chosen(params))
    for name, allowed in (("grain", GRAINS), ("basis", BASES), ("booking", BOOKINGS)):
        filtered = with_option(filtered, name, params.get(name, ("",))[0], allowed, errors, strict=strict)
    for name in ("by", "include", "role"):
        filtered = with_list(filtered, name, params, errors, strict=strict)
    comparison = compared(
        filtered, params.get("cmp", ("previous",))[0], errors, today=today, fiscal_start=fiscal_start, strict=strict
    )
    return Query(filtered, comparison, label, params, narrowing(identity), tuple(errors), fiscal_start)


def read_params(data: QueryDict, identity: Identity, errors: list[str], *, strict: bool) -> dict[str, tuple[str, ...]]:
    """Pick the parameters that choose figures; what narrows the asker's view takes the place of what they ask for."""
    params: dict[str, tuple[str, ...]] = {}
    for key in data:
        values = tuple(value for value in data.getlist(key) if value != "")
        if any("\0" in value for value in values):
            note(errors, FilterError(key, f"{key} holds a character that no name has."), strict)
        elif key in (*OPTIONS, *FILTERS) or (key in PAGES_ONLY and not strict):
            if values:
                params[key] = values
        elif key not in PAGE_KEYS:
            note(errors, FilterError(key, f"There is no filter {key!r}."), strict)
    for key in SINGLE:
        if len(params.get(key, ())) > 1:
            note(errors, FilterError(key, f"{key} can have one value only."), strict)
            params[key] = params[key][-1:]
    for key, known in (("mass", MASS_UNITS), ("metric", METRICS)):
        if params.get(key, known)[0] not in known:
            note(errors, FilterError(key, f"{key} is one of {', '.join(known)}, not {params[key][0]!r}."), strict)
            del params[key]
    for name, values in narrowing(identity).items():
        if params.get(name, values) != values:
            note(errors, FilterError(name, f"Only the {name} {', '.join(values)} is for you to see."), strict)
        params[name] = values  # said in the filter bar and in links, as it holds whatever the address says
    return params


def note(errors: list[str], error: FilterError, strict: bool) -> None:
    if strict:
        raise error
    errors.append(str(error))


def with_list(
    filtered: Filter, name: str, params: dict[str, tuple[str, ...]], errors: list[str], *, strict: bool
) -> Filter:
    """Put a list into force: repeated, or separated by commas; ``none`` empties it."""
    if name not in params:
        return filtered
    option: dict[str, Any] = {
        name: tuple(part for value in params[name] for part in value.split(",") if part and part != "none")
    }
    try:
        return replace(filtered, **option)
    except FilterError as error:
        note(errors, error, strict)
    return filtered


def with_option(
    filtered: Filter, name: str, value: str, allowed: tuple[str, ...], errors: list[str], *, strict: bool
) -> Filter:
    if not value:
        return filtered
    if value not in allowed:
        note(errors, FilterError(name, f"{name} is one of {', '.join(allowed)}, not {value!r}."), strict)
        return filtered
    option: dict[str, Any] = {name: value}
    return replace(filtered, **option)


def chosen(params: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Pick the filters of dimensions out of the parameters."""
    return {name: params[name] for name in FILTERS if name in params}


def read_period(
    params: dict[str, tuple[str, ...]], errors: list[str], *, today: date, fiscal_start: int, opening: str, strict: bool
) -> tuple[Period, str]:
    """Read ``period``, or ``from`` and ``to``; else the opening one."""
    try:
        if "period" in params:
            name = params["period"][0]
            period = parse_period(name, fiscal_start, today=today)
            if not EARLIEST_YEAR <= period.from_day.year <= LATEST_YEAR:
                raise FilterError("period", f"{name} lies outside the years {EARLIEST_YEAR} to {LATEST_YEAR}.")
            return period, name
        if "from" in params or "to" in params:
            first = day("from", params["from"][0]) if "from" in params else None
            last = day("to", params["to"][0]) if "to" in params else today
            if first is None:
                raise FilterError("from", "to needs from beside it.")
            if last < first:
                raise FilterError("to", f"The period ends on {last}, before it starts on {first}.")
            return Period(first, last), f"{first} – {last}"
    except FilterError as error:
        note(errors, error, strict)
    return parse_period(opening), opening


def day(name: str, text: str) -> date:
    try:
        read = date.fromisoformat(text)
    except ValueError:
        raise FilterError(name, f"{name}={text!r} is no day: write 2026-07-01.") from None
    if not EARLIEST_YEAR <= read.year <= LATEST_YEAR:
        raise FilterError(name, f"{name}={text} lies outside the years {EARLIEST_YEAR} to {LATEST_YEAR}.")
    return read


def latest_quarter(today: date) -> str:
    """
    Name the last calendar quarter that is complete.

    >>> latest_quarter(date(2026, 11, 25)), latest_quarter(date(2026, 1, 1))
    ('2026-Q3', '2025-Q4')
    """
    quarter = (today.month - 1) // 3
    return f"{today.year}-Q{quarter}" if quarter else f"{today.year - 1}-Q4"


def compared(
    filtered: Filter, wanted: str, errors: list[str], *, today: date, fiscal_start: int, strict: bool
) -> Filter | None:
    """
    Find the days to compare with: those just before, the same a year ago, a named period, or none.

    A period that is still open is compared with as many days from the start of the other: 56 days with 56 days.
    """
    if wanted == "none":
        return None
    first, last = before(filtered.from_day, filtered.to_day)
    if wanted == "year":
        first, last = year_before(filtered.from_day), year_before(filtered.to_day)
    elif wanted != "previous":
        try:
            period = parse_period(wanted, fiscal_start)
        except FilterError as error:
            note(errors, FilterError("cmp", f"cmp is previous, year, none or a period: {error}"), strict)
        else:
            first, last = period.from_day, period.to_day
    if filtered.from_day <= today < filtered.to_day:
        last = min(last, first + (today - filtered.from_day))
    return replace(filtered, from_day=first, to_day=last)


def before(first: date, last: date) -> tuple[date, date]:
    """
    Find the stretch before: as many whole months for whole months, as many days else.

    >>> before(date(2026, 7, 1), date(2026, 9, 30))
    (datetime.date(2026, 4, 1), datetime.date(2026, 6, 30))
    >>> before(date(2026, 7, 3), date(2026, 7, 9))
    (datetime.date(2026, 6, 26), datetime.date(2026, 7, 2))
    """
    until = first - timedelta(days=1)
    following = last + timedelta(days=1)
    if first.day == 1 and following.day == 1:
        months = (following.year - first.year) * 12 + following.month - first.month
        start = first.year * 12 + first.month - 1 - months
        return date(start // 12, start % 12 + 1, 1), until
    return until - (last - first), until


def year_before(moment: date) -> date:
    """Go back a year; the 29th of February becomes the 28th."""
    try:
        return moment.replace(year=moment.year - 1)
    except ValueError:
        return moment.replace(year=moment.year - 1, day=28)


__all__ = ["INCLUDES", "Query", "latest_quarter", "read_query"]
