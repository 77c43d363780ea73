"""Claims as people and questionnaires give them: read from plain values and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from reporting.procurement.answers import ProcurementError
from reporting.procurement.metrics import GRADES, METRICS
from reporting.procurement.prices import number

LONGEST: Final = 200
LONGEST_NOTE: Final = 2_000
FIELDS: Final = (*("metric", "value", "boundary", "document", "url", "document_date", "expires_on", "grade", "note"),)


@dataclass(frozen=True)
class Claim:
    """One claim; ``value`` in the metric's unit, or ``text`` where it is a statement."""

    metric: str
    value: float | None
    text: str
    boundary: str
    document: str
    url: str
    document_date: date | None
    expires_on: date | None
    grade: str
    note: str


def read_claim(given: Mapping[str, object], at: str = "") -> Claim:
    """
    Read a claim.

    Raises:
        ProcurementError: naming the first field that cannot be; a value outside of what can be among them.

    >>> read_claim({"metric": "pue", "value": "1.12", "grade": "stated"}).value
    1.12
    """
    prefix = f"{at}." if at else ""
    for name in given:
        if name not in FIELDS:
            raise ProcurementError(f"{prefix}{name}", f"There is no field {name!r}: use {', '.join(FIELDS)}.")
    metric = str(given.get("metric") or "").strip()
    if metric not in METRICS:
        raise ProcurementError(f"{prefix}metric", f"{metric!r} is not one of {', '.join(METRICS)}.")
    about = METRICS[metric]
    value, text = None, ""
    if about.is_text:
        text = _text(f"{prefix}value", given.get("value"), LONGEST_NOTE)
        if not text:
            raise ProcurementError(f"{prefix}value", "Write what the provider states.")
    else:
        value = number(f"{prefix}value", given.get("value"), least=about.least, most=min(about.most, 1e12))
    grade = str(given.get("grade") or "stated").strip()
    if grade not in GRADES:
        raise ProcurementError(f"{prefix}grade", f"{grade!r} is not one of {', '.join(GRADES)}.")
    url = _text(f"{prefix}url", given.get("url"), LONGEST)
    if url and not re.match(r"https?://[^\s]+$", url):
        raise ProcurementError(f"{prefix}url", "The address begins with https://.")
    made, until = (_day(f"{prefix}{name}", given.get(name)) for name in ("document_date", "expires_on"))
    if made and until and until < made:
        raise ProcurementError(f"{prefix}expires_on", "It expires before the document was made.")
    return Claim(
        metric=metric,
        value=value,
        text=text,
        boundary=_text(f"{prefix}boundary", given.get("boundary"), LONGEST),
        document=_text(f"{prefix}document", given.get("document"), LONGEST),
        url=url,
        document_date=made,
        expires_on=until,
        grade=grade,
        note=_text(f"{prefix}note", given.get("note"), LONGEST_NOTE),
    )


def _text(at: str, given: object, most: int) -> str:
    text = "" if given is None else str(given).strip()
    if len(text) > most or "\0" in text:
        raise ProcurementError(at, f"This is text of at most {most} characters.")
    return text


def _day(at: str, given: object) -> date | None:
    if given in (None, ""):
        return None
    try:
        return date.fromisoformat(str(given).strip()[:10])
    except ValueError:
        raise ProcurementError(at, f"{given!r} is no day such as 2026-07-01.") from None
