"""The leading figures of a page: the total with its range and its other sides, the target, an intensity, the evidence."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from core.accounting.figures import INCLUDES
from core.accounting.models import View
from core.accounting.selectors import disclosure_bridge
from core.quantification import units
from reporting import figures
from reporting.pages.asked import activity, basis_name, period_name, today, view_of
from reporting.query import METRICS, Query
from reporting.selectors.overview import Overview, overview
from reporting.templatetags.figures import locale


def shown_of(request: HttpRequest, query: Query) -> Overview:
    """Read what the overview shows, of all or of one team or model."""
    return overview(
        request.identity.organization_id,  # type: ignore[attr-defined]
        query.filter,
        query.comparison,
        view=view_of(request),
        activity=activity(request),
        today=today(),
        metric=metric_of(query),
    )


def kpis(shown: Overview, query: Query, other_booking: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Build the strip of leading figures, the first with a line about the other booking."""
    scale = figures.scale_for("mass", [shown.total.value])
    change = figures.change(shown.total.value, shown.previous_kg, coverage=shown.coverage, translate=_)
    details: list[Any] = []
    if query.comparison is not None:
        text = _("vs {period}").format(period=period_name(query.comparison))
        details.append({"change": change, "text": text, "address": f"/changes/{query.link()}"})
    details.append(
        {
            "text": _("range {range} {unit}").format(
                range=figures.interval(shown.total.low, shown.total.high, scale), unit=scale.unit
            )
        }
    )
    other = "market" if query.filter.basis == "location" else "location"
    details.append(
        {
            "text": f"{basis_name(other)} {figures.quantity(shown.other_basis_kg, 'mass')}",
            "address": query.link(basis=other),
        }
    )
    found = [
        {
            "lead": True,
            "label": _("AI emissions, {basis}").format(basis=basis_name(query.filter.basis)),
            "page": query.filter.basis,
            "value": figures.quantity(shown.total.value, "mass", digits=4 if (shown.total.value or 0) >= 1e5 else 3),
            "unit": "CO2e" if shown.total.value is not None else "",
            "address": explain_link(query),
            "details": details,
            "line": other_booking,
            "chart": chart_of("emissions", query),
        }
    ]
    if shown.limits.so_far is not None and shown.total.value is not None:
        found.append(against_target(shown.total.value, shown, query))
    found.append(
        {
            "label": _("Per 1,000 requests"),
            "page": "intensity",
            "value": figures.quantity(shown.kg_per_1000_requests, "mass"),
            "details": [
                *(
                    [
                        {
                            "change": figures.change(
                                shown.kg_per_1000_requests,
                                shown.previous_kg_per_1000_requests,
                                smallest_base=0,
                                translate=_,
                            )
                        }
                    ]
                    if query.comparison is not None
                    else []
                ),
                {"text": _("{count} requests").format(count=figures.count(shown.requests))},
                {"text": _("per other units"), "address": "/intensity/" + query.link(basis=None, include=None)},
            ],
            "chart": chart_of("intensity", query),
        }
    )
    measured = shown.shares.get("measured", 0.0) if shown.shares else None
    rest = [f"{figures.percent(share)} {_(name)}" for name, share in shown.shares.items() if name != "measured"]
    found.append(
        {
            "label": _("Measured share"),
            "page": "data-quality",
            "value": figures.percent(measured),
            "details": [{"text": text} for text in rest],
            "chart": chart_of("measured", query),
        }
    )
    return found


def metric_of(query: Query) -> str:
    """Tell what the main chart is asked to show."""
    return query.params.get("metric", METRICS)[0]


def chart_of(metric: str, query: Query) -> dict[str, Any]:
    """Give the address that puts a leading figure into the main chart, and whether it is there."""
    return {"address": query.link(metric=None if metric == METRICS[0] else metric), "on": metric_of(query) == metric}


def against_target(kg: float, shown: Overview, query: Query) -> dict[str, Any]:
    """Say how far the total stands above or below what the target allows over the days that have passed."""
    limits, projected = shown.limits, shown.projection
    limit_kg = limits.so_far or 0.0
    over = kg - limit_kg
    words = _("{share} over the target of {limit}") if over > 0 else _("{share} below the target of {limit}")
    text = words.format(share=figures.percent(abs(over) / limit_kg), limit=figures.quantity(limit_kg, "mass"))
    whole = (query.filter.to_day - query.filter.from_day).days + 1
    details = [{"text": text, "tone": "bad" if over > 0 else "good"}]
    if limits.days < whole:
        details.append({"text": _("for {days} of {whole} days").format(days=limits.days, whole=whole)})
    if projected is not None and limits.to_the_end is not None:
        scale = figures.scale_for("mass", [limits.to_the_end])
        text = _("heading for {amount} {unit} ({range}) of {limit} {unit}").format(
            amount=figures.number(projected.value, scale),
            range=figures.interval(projected.low, projected.high, scale),
            limit=figures.number(limits.to_the_end, scale),
            unit=scale.unit,
        )
        tone = "bad" if projected.low > limits.to_the_end else "good" if projected.high < limits.to_the_end else ""
        details.append({"text": text, "tone": tone})
    return {
        "label": _("Against the target"),
        "page": "targets",
        "value": figures.quantity(over, "mass", sign=True),
        "details": details,
        "chart": chart_of("target", query),
    }


def explain_link(query: Query) -> str:
    """Address of the explanation of the total."""
    return "/explain/" + query.link()


def other_booking(organization_id: int, query: Query, *, view: View | None) -> list[dict[str, Any]]:
    """
    Give the total by the booking that the page does not show, with the way to it and to the bridge between them.

    *Operations and life cycle* is location-based in the bridge, whatever the page's basis. Where the bridge is not about what
    the page shows (one scope, a run, some parts or roles only) the other booking is named without a total.
    """
    bridge = {"text": _("how the two differ"), "address": f"/bookings/{query.link(booking=None)}"}
    filtered = query.filter
    disclosed = filtered.booking == "disclosed"
    comparable = set(filtered.include) == set(INCLUDES) and filtered.role == ("counted",)
    found = None
    if comparable and not {"scope", "run"} & set(filtered.dims):
        found = disclosure_bridge(organization_id, filtered, view=view)
    if disclosed:
        other, address = _("operations and life cycle, location-based"), query.link(booking=None, basis=None)
    else:
        other, address = _("as disclosed"), query.link(booking="disclosed")
    if found is None:
        return [{"text": other, "address": query.link(booking=None if disclosed else "disclosed")}, bridge]
    nkg = found[0].life_cycle_nkg if disclosed else found[0].disclosed_nkg
    amount = figures.quantity(nkg / units.PER_KG, "mass", locale=locale())
    return [{"text": f"{other} {amount}", "address": address}, bridge]
