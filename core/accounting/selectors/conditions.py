"""From filters to SQL: names of columns come from here alone, values are always parameters."""

from __future__ import annotations

from typing import Any, Final

from core.accounting.figures import ATTRIBUTION, UNATTRIBUTED, Filter, FilterError

COLUMNS: Final = {
    **{
        name: f"r.{name}"
        for name in (
            *ATTRIBUTION,
            "site",
            "stage",
            "hosting",
            "provider",
            "region",
            "zone",
            "account",
            "evidence",
            "model",
            "hardware",
            "instance_type",
            "tier",
            "method",
            "scope",
            "role",
        )
    },
    "source": "s.name",
}
"""Dimension to its column: r is the resolved series, s its source."""

SLOTS: Final = {
    "day": "d.day",
    "week": "date_trunc('week', d.day)::date",
    "month": "date_trunc('month', d.day)::date",
    "quarter": "date_trunc('quarter', d.day)::date",
    "year": "date_trunc('year', d.day)::date",
}


def dimension(name: str) -> str:
    """Give the column of a dimension. Raises FilterError for one that is not answered from daily rows."""
    if name not in COLUMNS:
        raise FilterError(
            "by", f"Figures by {name} are not answered from daily rows; ask for the records of a run instead."
        )
    return COLUMNS[name]


def slot(grain: str) -> str:
    """Give the first day of a row's slot; weeks begin on Monday. Raises FilterError for grain hour."""
    if grain not in SLOTS:
        raise FilterError("grain", f"The grain {grain} is not offered for daily figures; use day or longer.")
    return SLOTS[grain]


def condition(filtered: Filter) -> tuple[str, list[Any]]:
    """
    Write the filters as SQL that follows a where clause.

    Returns:
        " and ..." (empty without filters) and its parameters, in order.
    """
    parts = ["r.role = any(%s)"]
    values: list[Any] = [list(filtered.role)]
    for name, wanted in filtered.dims.items():
        if name == "technique":
            parts.append("r.techniques && %s")
            values.append(list(wanted))
            continue
        if name not in COLUMNS:
            raise FilterError(name, f"Figures cannot be narrowed to a {name}.")
        column = COLUMNS[name]
        named = [value for value in wanted if value != UNATTRIBUTED]
        if len(named) < len(wanted):
            parts.append(f"({column} = any(%s) or {column} is null)")
        else:
            parts.append(f"{column} = any(%s)")
        values.append(named)
    return "".join(f" and {part}" for part in parts), values
