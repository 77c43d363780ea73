"""Whether a target is kept: the words that pages, API and files say it in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ON_PATH, AT_RISK, OFF_PATH, MET, NOT_ASSESSABLE = "on_path", "at_risk", "off_path", "met", "not_assessable"
WORDS: Final = (ON_PATH, AT_RISK, OFF_PATH, MET, NOT_ASSESSABLE)
SMALLEST_COVERAGE: Final = 0.9
"""With less of the days or of the records known, nobody can say whether a path is kept."""

NO_DATA, NOT_BEGUN, COVERAGE_LOW = "no_data", "not_begun", "coverage_low"
ABOVE, CROSSES, BELOW, ENDED_ABOVE, ENDED_BELOW = "above", "crosses", "below", "ended_above", "ended_below"


@dataclass(frozen=True)
class Status:
    """One of ``WORDS`` and why."""

    word: str
    because: str


def status_of(
    *,
    actual: float | None,
    allowed: float | None,
    coverage: float | None,
    ended: bool = False,
    expected_to_end: float | None = None,
    allowed_to_end: float | None = None,
) -> Status:
    """
    Say how a target stands.

    Args:
        actual, allowed: over the days looked at; None where there are none.
        coverage: share of those days, and of their records, that is known (0 to 1).
        ended: the days looked at are those of the target year, and it is over.
        expected_to_end: what the year is expected to come to, None where nobody can tell.
        allowed_to_end: what the path allows for it.

    >>> status_of(actual=90.0, allowed=100.0, coverage=1.0, expected_to_end=210.0, allowed_to_end=200.0)
    Status(word='at_risk', because='crosses')
    """
    if allowed is None:
        return Status(NOT_ASSESSABLE, NOT_BEGUN)
    if actual is None:
        return Status(NOT_ASSESSABLE, NO_DATA)
    if coverage is None or coverage < SMALLEST_COVERAGE:
        return Status(NOT_ASSESSABLE, COVERAGE_LOW)
    if ended:
        return Status(MET, ENDED_BELOW) if actual <= allowed else Status(OFF_PATH, ENDED_ABOVE)
    if actual > allowed:
        return Status(OFF_PATH, ABOVE)
    if expected_to_end is not None and allowed_to_end is not None and expected_to_end > allowed_to_end:
        return Status(AT_RISK, CROSSES)
    return Status(ON_PATH, BELOW)
