"""The demo's business figures: tasks, users and revenue of the months that are complete, as a sheet."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from typing import Final

MONTHS: Final = 11
COLUMNS: Final = ("series", "period", "value", "currency", "team", "application", "source")
TASKS: Final = {"Support": (41_000, 1_150), "Search": (268_000, 6_400)}
"""Team to its accepted tasks in the first month, and how many more each month brings."""


def sheet(today: date) -> str:
    """Write the figures of the complete months before `today` that the demo has activity for."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    month = today.replace(day=1)
    months = []
    for _step in range(MONTHS):
        month = (month - timedelta(days=1)).replace(day=1)
        months.append(month)
    for number, first in enumerate(reversed(months)):
        period = f"{first:%Y-%m}"
        for team, (start, growth) in TASKS.items():
            writer.writerow(("accepted_tasks", period, start + growth * number, "", team, "", "help desk export"))
        writer.writerow(("active_users", period, 9_400 + 310 * number, "", "", "", "identity provider"))
        writer.writerow(("revenue", period, 3_150_000 + 42_000 * number, "EUR", "", "", "monthly accounts"))
    return out.getvalue()
