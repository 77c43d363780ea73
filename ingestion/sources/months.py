"""Calendar months as exports name them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from ingestion.sources.usage_pages import Bucket

_MONTH: Final = re.compile(r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])")


def calendar_month(text: object) -> Bucket | None:
    """
    Read a month like 2026-10 as its time in UTC, or give None for anything else.

    >>> calendar_month("2026-12").ended_at.isoformat(), calendar_month("2026-13")
    ('2027-01-01T00:00:00+00:00', None)
    """
    if not isinstance(text, str) or not _MONTH.fullmatch(text):
        return None
    year, number = int(text[:4]), int(text[5:])
    end = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return Bucket(datetime(year, number, 1, tzinfo=UTC), end)
