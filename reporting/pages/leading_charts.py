"""The main chart of a page of figures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from django.utils import translation
from django.utils.translation import gettext as _

from reporting import figures
from reporting.charts import Chart, trend
from reporting.pages.asked import basis_name, stage_name
from reporting.query import Query
from reporting.selectors.overview import Overview

COLOURED: Final = (
    "inference",
    "training",
    "experimentation",
    "fine_tuning",
    "evaluation",
    "data_preparation",
    "unattributed",
    "upstream",
    "embodied",
)


def trend_chart(shown: Overview, query: Query) -> Chart:
    """Draw the trend by stage against the limit; the slot that has not ended is provisional."""
    now = datetime.now(UTC)
    open_slots = [slot for slot in shown.slots if slot.to_pydatetime() <= now]
    provisional = open_slots[-1].to_pydatetime() if open_slots and query.filter.to_day >= now.date() else None
    return trend(
        shown.trend,
        slots=shown.slots,
        grain=shown.grain,  # type: ignore[arg-type]
        labels={stage: stage_name(stage) for stage in COLOURED},
        target=shown.slot_limits,
        provisional_from=provisional,
        previous=shown.previous_kg,
        detail=_("{basis}, by life-cycle stage").format(basis=basis_name(query.filter.basis)),
        quality=", ".join(f"{figures.percent(share)} {_(name)}" for name, share in shown.shares.items()),
        locale=translation.get_language() or "en",
        translate=_,
    )
