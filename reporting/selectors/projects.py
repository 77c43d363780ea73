"""Projects of a filter: what each emits, and what it did in the period before."""

from __future__ import annotations

from dataclasses import replace

from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.selectors import emissions
from reporting.selectors.overview import Row, ranked_rows

GROUPED = ("project", "stage", "evidence")


def projects_of(organization_id: int, filtered: Filter, before: Filter | None, *, view: View | None) -> list[Row]:
    """List projects, the largest first, unattributed among them; of folded teams as ``small groups``."""
    now, then = (
        None
        if each is None
        else emissions(
            organization_id,
            replace(each, by=GROUPED, grain="total"),
            measures=("output_tokens",),
            bounds=False,
            view=view,
        ).rows
        for each in (filtered, before)
    )
    return [] if now is None else ranked_rows(now, then, "project")
