"""The two bookings of a period side by side, and the bridge that leads from one to the other."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from core.accounting.selectors import disclosure_bridge
from core.organizations.access import requires
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action
from core.quantification import booking, notes, units
from core.quantification.booking import Bridge
from core.quantification.register_lines import Line
from reporting import figures
from reporting.charts import Chart, Part, waterfall
from reporting.pages.asked import asked, filter_bar, period_name, view_of
from reporting.pages.files import file_asked, period_file
from reporting.templatetags.figures import locale

NOT_HEEDED: Final = ("scope", "run", "cmp", "booking", "include", "role")
"""The bridge leads from one booking to the other with all parts, over every scope."""

STEPS: Final = {
    booking.LESS_AMORTISED: (
        gettext_lazy("less the amortised share of owned hardware"),
        gettext_lazy("booked whole in the year of its purchase instead"),
    ),
    booking.PURCHASES: (gettext_lazy("plus hardware bought"), gettext_lazy("scope 3, category 2")),
    booking.DISPOSAL: (gettext_lazy("plus hardware retired"), gettext_lazy("scope 3, category 5")),
    booking.FUEL: (gettext_lazy("plus fuel burnt at sites"), gettext_lazy("scope 1")),
    booking.REFRIGERANT: (gettext_lazy("plus refrigerants lost"), gettext_lazy("scope 1")),
    booking.UNALLOCATED: (
        gettext_lazy("plus metered electricity in no record"),
        gettext_lazy("scope 2, with its upstream in category 3"),
    ),
    booking.SELF_GENERATED: (
        gettext_lazy("less electricity generated on site"),
        gettext_lazy("not purchased; what it burns is scope 1"),
    ),
    booking.MARKET: (
        gettext_lazy("plus market-based less location-based"),
        gettext_lazy("scope 2; scope 3 is in both totals alike"),
    ),
}
"""Each step in words, and where it goes."""
SHORT: Final = {
    booking.LESS_AMORTISED: gettext_lazy("Amortised share"),
    booking.PURCHASES: gettext_lazy("Hardware bought"),
    booking.DISPOSAL: gettext_lazy("Hardware retired"),
    booking.FUEL: gettext_lazy("Fuel at sites"),
    booking.REFRIGERANT: gettext_lazy("Refrigerants"),
    booking.UNALLOCATED: gettext_lazy("Metered, no record"),
    booking.SELF_GENERATED: gettext_lazy("Generated on site"),
    booking.MARKET: gettext_lazy("Market-based"),
}
"""The same beside a bar, whose direction and sign say the rest."""


@one_snapshot
@require_safe
@requires(Action.SEE_OWN_TEAM)
def bookings(request: HttpRequest) -> HttpResponse:
    """Show the bridge of a period, step by step; the entries behind it for those who see the register."""
    query = asked(request)
    found = disclosure_bridge(request.identity.organization_id, query.filter, view=view_of(request))  # type: ignore[attr-defined]
    if file_asked(request) and found is not None:
        if request.GET.get("tab") == "chart":
            return period_file(request, bridge_chart(found[0]).table, "bookings-chart", query)
        return period_file(request, as_frame(found[0]), "bookings", query)
    context: dict[str, Any] = {
        "title": _("Two bookings"),
        "query": query,
        "query_errors": query.errors,
        "period_label": period_name(query.filter, query.label),
        "filter_bar": filter_bar(query, ignores=NOT_HEEDED),
        "basis": query.filter.basis,
        "csv": query.link(format="csv"),
        "charts": found is not None,
        "chart": None if found is None else bridge_chart(found[0]),
        "chart_explain": "/explain/" + query.link(booking="disclosed"),
        "chart_csv": query.link(format="csv", tab="chart"),
        "bridge": None if found is None else steps_of(found[0]),
        "lines": [] if found is None else [described(line, query.filter.basis) for line in found[1]],
    }
    return render(request, "reporting/bookings.html", context)


def steps_of(found: Bridge) -> dict[str, Any]:
    """Write the bridge in one unit; parts are rounded each on its own."""
    amounts = [found.life_cycle_nkg, *found.steps.values(), found.disclosed_nkg]
    scale = figures.scale_for("mass", [amount / units.PER_KG for amount in amounts])

    def shown(nkg: int, *, sign: bool = False) -> str:
        return figures.number(nkg / units.PER_KG, scale, sign=sign)

    return {
        "unit": scale.unit,
        "life_cycle": shown(found.life_cycle_nkg),
        "disclosed": shown(found.disclosed_nkg),
        "steps": [
            {"label": STEPS[name][0], "where": STEPS[name][1], "amount": shown(nkg, sign=True), "none": nkg == 0}
            for name, nkg in found.steps.items()
        ],
    }


def bridge_chart(found: Bridge) -> Chart:
    """Draw the bridge; steps of nothing stand in the table only."""
    return waterfall(
        [Part(name, str(SHORT[name]), nkg / units.PER_KG) for name, nkg in found.steps.items() if nkg],
        start=(_("Operations and life cycle"), found.life_cycle_nkg / units.PER_KG),
        end=(_("As disclosed"), found.disclosed_nkg / units.PER_KG),
        name="bridge",
        compares="sides",
        locale=locale(),
        translate=_,
    )


def described(line: Line, basis: str) -> dict[str, Any]:
    """Give a line of the register as the table shows it."""
    return {
        "step": STEPS[line.step][0],
        "site": line.site,
        "day": line.day,
        "of_month": line.step in (booking.UNALLOCATED, booking.SELF_GENERATED),
        "label": line.label,
        "kg": line.nkg(basis) / units.PER_KG if line.amounts else None,
        "factors": sorted({factor.source for factor in line.factors}),
        "notes": [notes.TEXTS[code] for code in line.notes],
    }


def as_frame(found: Bridge) -> pd.DataFrame:
    """Give the bridge as rows of a file: exact to 1e-9 kg."""
    rows = [("life_cycle", found.life_cycle_nkg), *found.steps.items(), ("as_disclosed", found.disclosed_nkg)]
    return pd.DataFrame([{"step": name, "kg_co2e": nkg / units.PER_KG} for name, nkg in rows])
