"""
What the carbon exports of cloud providers share: whole months, the class of a service, and model versions.

A statement is evidence `stated`: every row of the account becomes a record, whatever its class, since the provider's total
is only comparable as a whole. Derive never adds it to what other evidence describes.
"""

from __future__ import annotations

import math
import re
from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

from core.quantification.rejections import Cover
from ingestion.sources.base import Context
from ingestion.sources.service_rules import Rulebook

FALLBACK: Final = {"stage": "training"}
"""As for bills: of services whose purpose nobody states."""

_DATE: Final = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d))?(?:[T ]00:00:00(?:\.0+)?(?: ?(?:Z|UTC|[+]00:00))?)?")


@dataclass(frozen=True)
class Month:
    """A calendar month, half-open in UTC."""

    started_at: datetime
    ended_at: datetime

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m}"


def month_of(value: object) -> Month | None:
    """
    Read a month (`2026-10`, or any day of it); None for anything else.

    >>> str(month_of("2026-10-01")), str(month_of("2026-10")), month_of("October")
    ('2026-10', '2026-10', None)
    """
    if isinstance(value, date):
        first = date(value.year, value.month, 1)
    else:
        found = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None or not 1 <= int(found[2]) <= 12 or not 1990 <= int(found[1]) <= 9000:
            return None
        if found[3] and not 1 <= int(found[3]) <= monthrange(int(found[1]), int(found[2]))[1]:
            return None
        first = date(int(found[1]), int(found[2]), 1)
    started_at = datetime(first.year, first.month, 1, tzinfo=UTC)
    return Month(started_at, (started_at + timedelta(days=32)).replace(day=1))


def number_of(value: object) -> float | None:
    """
    Read a figure, a number or its text; None for what is no finite number.

    >>> number_of("4.36969"), number_of(0), number_of("1,5"), number_of(float("nan"))
    (4.36969, 0.0, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


@dataclass(frozen=True)
class Service:
    """How a provider's service stands to AI, by the rules of bills."""

    classification: str
    hosting: str
    stage: str | None


@lru_cache(maxsize=10_000)
def service_of(rules: Rulebook, provider: str, name: str) -> Service:
    """
    Ask the rules of a source what a service as a whole is; where only its machines may be AI, it is `supporting`.

    >>> [service_of(Rulebook(), "gcp", name).classification for name in ("Vertex AI", "Compute Engine")]
    ['ai', 'supporting']
    >>> service_of(Rulebook(), "gcp", "Cloud Storage")
    Service(classification='outside', hosting='cloud', stage=None)
    """
    rule = rules.classify(provider=provider, service=name, meter="", instance="")
    if rule.classification == "outside":
        rule = rules.classify(provider=provider, service=name, meter="instance hours of a core", instance="plain")
    return Service(rule.classification, rule.hosting or "cloud", rule.stage or None)


def version_of(text: str) -> tuple[int, ...]:
    """
    Read a version so that versions can be compared; text without a number is older than any.

    >>> version_of("v3.0.0") > version_of("v2.10.1"), version_of("14"), version_of("beta")
    (True, (14,), ())
    """
    return tuple(int(digits[:18]) for digits in re.findall(r"\d+", text))


@dataclass
class Superseded:
    """
    Which rows a newer carbon model has restated.

    Args:
        known: snapshot -> model versions of it in the delivery and in the ledger.
    """

    known: Mapping[str, object]
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)

    def by_newer(self, snapshot: str, version: str) -> bool:
        """Tell whether a newer version of this snapshot is there, and count the row if so."""
        newest = max([version, *self._versions(snapshot)], key=version_of)
        if version_of(newest) == version_of(version):
            return False
        self.rows[version, newest] += 1
        return True

    def replaces_older(self, snapshot: str, version: str) -> bool:
        """Tell whether this snapshot is there by an older version too, all of which goes."""
        return any(version_of(other) < version_of(version) for other in self._versions(snapshot))

    def remarks(self) -> list[str]:
        """Say for the batch's log what was left out."""
        return [
            f"{count:,} rows of carbon model version {version} are restated by version {newest}: left out."
            for (version, newest), count in sorted(self.rows.items())
        ]

    def _versions(self, snapshot: str) -> list[str]:
        known = self.known.get(snapshot)
        return [each for each in known if isinstance(each, str)] if isinstance(known, list | tuple) else []


def spoken_for(cover: Iterable[Cover], context: Context) -> list[Cover]:
    """Leave out months that are older than the source accepts: their rows are quarantined, so what stands is kept."""
    oldest = context.received_at - timedelta(days=context.max_age_days)
    return [each for each in cover if each.started_at is None or each.started_at >= oldest]
