"""Days as Azure's exports write them: ISO, or with slashes in an order that only the file as a whole tells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final

import numpy as np
import pyarrow as pa

from core.quantification.remembering import remembered
from ingestion.sources import bill_columns
from ingestion.sources.base import SettingError
from ingestion.sources.bill_columns import Column


class DayOrder(StrEnum):
    """Which comes first in `10/11/2026`."""

    MONTH_FIRST = "month_first"
    DAY_FIRST = "day_first"


_SLASHED: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: .*)?")
_ISO: Final = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ].*)?")


def order_of(setting: Mapping[str, object], days: Iterable[str]) -> DayOrder:
    """
    Decide the order of a file's days: by the first that only one order can read, else by the setting `date_order`.

    Args:
        setting: of the source.
        days: texts of days; they are read until one tells.

    Raises SettingError for a setting that is no order.

    >>> order_of({}, ["10/11/2026", "13/11/2026"]).value, order_of({}, ["10/11/2026"]).value
    ('day_first', 'month_first')
    """
    stated = setting.get("date_order", DayOrder.MONTH_FIRST)
    if stated not in list(DayOrder):
        raise SettingError(f"the source's setting 'date_order' must be {' or '.join(DayOrder)}, not {stated!r}")
    for day in days:
        found = _SLASHED.fullmatch(day)
        if found and (int(found[1]) > 12) != (int(found[2]) > 12):
            return DayOrder.DAY_FIRST if int(found[1]) > 12 else DayOrder.MONTH_FIRST
    return DayOrder(str(stated))


def days_of(column: Column, order: DayOrder) -> tuple[Column, Column]:
    """
    Read a column of days, typed or text.

    Returns:
        Each day and the one after, as ISO text; null where absent. Text that is no day stays as it is in the first and is
        null in the second, so that its row is found at fault.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        column = column.cast(pa.date32(), safe=False)
    codes = bill_columns.encode(bill_columns.as_text(column))
    read = [_day(text, order) for text in codes.values]
    first = [text if day is None else day.isoformat() for day, text in zip(read, codes.values, strict=True)]
    second = [None if day is None else (day + timedelta(days=1)).isoformat() for day in read]
    at: Any = pa.array(np.where(codes.codes < 0, len(read), codes.codes))
    spread: Any = [pa.array([*values, None], pa.string()).take(at) for values in (first, second)]
    return spread[0], spread[1]


@remembered(10_000)
def _day(text: str, order: DayOrder) -> date | None:
    if found := _ISO.fullmatch(text):
        year, month, day = int(found[1]), int(found[2]), int(found[3])
    elif found := _SLASHED.fullmatch(text):
        first, second, year = int(found[1]), int(found[2]), int(found[3])
        month, day = (first, second) if order is DayOrder.MONTH_FIRST else (second, first)
    else:
        return None
    try:
        return date(year, month, day) if 1970 <= year < 9999 else None
    except ValueError:
        return None
