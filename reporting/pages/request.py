"""One request: what it was, what it emitted and by which formula, and the ones before and after it in the list."""

from __future__ import annotations

from datetime import UTC
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from core.accounting.figures import Filter, FilterError
from core.accounting.models import View
from core.accounting.selectors.explain import NothingToExplain, explain
from core.ledger.selectors import find_record, records_at
from core.organizations.access import requires
from core.organizations.identity import Identity
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action, may, narrowing
from reporting import figures
from reporting.pages.asked import asked, stage_name, view_of
from reporting.pages.explain import factor_node, method_node, missing_node
from reporting.pages.pinned import on_read
from reporting.pages.requests import Listing, listing_of, narrowed, why_record
from reporting.query import Query
from reporting.selectors import requests as selectors
from reporting.selectors.traces import spans_of
from reporting.templatetags.figures import locale
from reporting.visibility import may_see_record

ABOUT: Final[tuple[tuple[str, str | Promise], ...]] = (
    ("team", gettext_lazy("Team")),
    ("project", gettext_lazy("Project")),
    ("application", gettext_lazy("Application")),
    ("task", gettext_lazy("Task")),
    ("environment", gettext_lazy("Environment")),
    ("stage", gettext_lazy("Stage")),
    ("model", gettext_lazy("Model")),
    ("provider", gettext_lazy("Provider")),
    ("hosting", gettext_lazy("Hosting")),
    ("site", gettext_lazy("Site")),
    ("region", gettext_lazy("Region")),
    ("zone", gettext_lazy("Grid zone")),
    ("hardware", gettext_lazy("Hardware")),
    ("instance_type", gettext_lazy("Instance type")),
    ("tier", gettext_lazy("Service level")),
    ("account", gettext_lazy("Account")),
    ("request", gettext_lazy("Request id")),
    ("trace", gettext_lazy("Trace id")),
)
AMOUNTS: Final[tuple[tuple[str, str | Promise, str], ...]] = (
    ("requests", gettext_lazy("Requests, failed included"), ""),
    ("failed_requests", gettext_lazy("Failed requests"), ""),
    ("input_tokens", gettext_lazy("Tokens in"), ""),
    ("cached_input_tokens", gettext_lazy("of which cached"), ""),
    ("output_tokens", gettext_lazy("Tokens out"), ""),
    ("generation_s", gettext_lazy("Generation"), "s"),
    ("device_hours", gettext_lazy("Device-hours"), "h"),
    ("device_utilization", gettext_lazy("Device utilization"), "%"),
    ("instance_hours", gettext_lazy("Instance-hours"), "h"),
    ("instance_utilization", gettext_lazy("Instance utilization"), "%"),
    ("energy_kwh", gettext_lazy("Energy as reported"), "kWh"),
    ("seat_months", gettext_lazy("Seat-months"), ""),
    ("cost", gettext_lazy("Cost"), ""),
    ("reported_kg_co2e", gettext_lazy("Reported by the supplier"), "kg CO2e"),
    ("water_l", gettext_lazy("Water as reported"), "L"),
)


@one_snapshot
@require_safe
@requires(Action.SEE_REQUESTS)
def request_page(request: HttpRequest) -> HttpResponse:
    """Show the record that the address names; its filters say which list it stands in."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    query = on_read(narrowed(asked(request), identity))
    errors = list(query.errors)
    listing = listing_of(request, errors)
    view = view_of(request)
    record, tree = found(identity, request.GET.get("record", ""), view)
    kg = figures.scale_for("intensity", [tree["value"]])
    own = narrowing(identity, requests=True)
    spans = (
        spans_of(identity.organization_id, view, record["trace"], record["started_at"], own)
        if record["trace"] and view
        else []
    )
    context = {
        "title": _("Request"),
        "query": query,
        "query_errors": errors,
        "record": record,
        "seconds": (record["ended_at"] - record["started_at"]).total_seconds(),
        "why": why_record(query, record["record_id"]),
        "run": reverse("run", args=[record["run"]]) + query.pinning() if record["run"] else "",
        "kg": figures.number(tree["value"], kg, locale=locale()),
        "unit": kg.unit,
        "range": figures.interval(tree["low"], tree["high"], kg, locale=locale()),
        "per_request": per_request(record, tree),
        "about": [
            (label, stage_name(record[name]) if name == "stage" else record[name])
            for name, label in ABOUT
            if record[name]
        ],
        "techniques": ", ".join(record["techniques"] or ()),
        "labels": sorted((record["labels"] or {}).items()),
        "flags": ", ".join(record["flags"] or ()),
        "amounts": [(label, amount(record[name], unit)) for name, label, unit in AMOUNTS if record[name] is not None],
        "batch": batch_address(identity, record),
        "methods": [method_node(node, kg, tree["value"], query) for node in tree["children"]],
        "missing": [missing_node(entry, tree["parts"]) for entry in tree["missing"]],
        "factors": [factor_node(factor) for factor in tree["factors"]],
        "corrections": tree["corrections"],
        "spans": trace_rows(spans, query, listing, record),
        "back": f"{reverse('requests')}{query.link(**listing.params())}",
        **neighbours(request, query, listing, record),
    }
    return render(request, "reporting/request.html", context)


def found(identity: Identity, record_id: str, view: View | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Find a record and its tree. Raises Http404 where there is none, or it is not for the asker."""
    record = find_record(identity.organization_id, record_id) if record_id and "\0" not in record_id else None
    if record is None:
        raise Http404
    day = record["started_at"].astimezone(UTC).date()
    try:
        tree = explain(identity.organization_id, Filter(day, day), record_id=record_id, view=view)
    except NothingToExplain:
        raise Http404 from None
    if not may_see_record(identity, tree):
        raise Http404
    uses = [plan for method in tree["children"] for plan in method["children"]] or tree["missing"]
    known = {name: values[0] for use in uses for name, values in use["subjects"].items() if values}
    sources = [name for use in uses for name in use["sources"]]
    return {**record, **known, "source": sources[0] if sources else ""}, tree


def per_request(record: dict[str, Any], tree: dict[str, Any]) -> str:
    """Write the footprint of each successful request, where the record is of several."""
    successful = (record["requests"] or 0) - (record["failed_requests"] or 0)
    if successful <= 1 or tree["value"] is None or record["corrects"]:
        return ""
    return figures.quantity(tree["value"] / successful, "intensity", locale=locale())


def amount(value: float, unit: str) -> str:
    """Write a measure with its unit."""
    if unit == "%":
        return figures.percent(value, locale=locale())
    if isinstance(value, int):
        return figures.count(value, compact=False, locale=locale())
    written = figures.number(value, figures.plain_scale([value]), locale=locale())
    return f"{written}{figures.THIN}{unit}" if unit else written


def batch_address(identity: Identity, record: dict[str, Any]) -> str:
    """Lead to the delivery that a record came with, for those who may see deliveries."""
    if not may(identity, Action.SEE_SOURCES):
        return ""
    try:
        return reverse("batch_page", args=[record["batch_id"]])
    except NoReverseMatch:
        return ""


def trace_rows(spans: list[Any], query: Query, listing: Listing, record: dict[str, Any]) -> dict[str, Any] | None:
    """Write the spans of a trace; None where the record is alone in it."""
    if len(spans) < 2:
        return None
    scale = figures.scale_for("intensity", [span.kg for span in spans])
    return {
        "unit": scale.unit,
        "total": figures.number(sum(span.kg or 0.0 for span in spans), scale, locale=locale()),
        "rows": [
            {
                "label": span.row["task"] or span.row["model"] or stage_name(span.row["stage"]),
                "record_id": span.row["record_id"],
                "address": f"{reverse('request')}{query.link(**listing.params(record=span.row['record_id']))}",
                "here": span.row["key"] == record["key"],
                "indent": range(min(span.depth, 8)),
                "started_at": span.row["started_at"],
                "kg": figures.number(span.kg, scale, locale=locale()),
                "share": span.share,
                "cumulative": span.cumulative,
            }
            for span in spans
        ],
    }


def neighbours(request: HttpRequest, query: Query, listing: Listing, record: dict[str, Any]) -> dict[str, Any]:
    """Find a record's place in its list and the addresses of the ones around it; {} where the list is too long or has it not."""
    try:
        reach = selectors.reach_of(request.identity.organization_id, view_of(request), query.filter)  # type: ignore[attr-defined]
    except FilterError:
        return {}
    if reach is None or reach.total > selectors.MOST_PLACED:
        return {}
    rows = selectors.ordered(reach.window(), listing.sort, listing.tab)
    try:
        at = selectors.position_of(rows, str(record["key"]))
    except ValueError:
        return {}
    around = records_at(
        reach.organization_id,
        selectors.places_of(rows.iloc[[place for place in (at - 1, at + 1) if 0 <= place < len(rows)]]),
    )
    names = {row["key"]: row["record_id"] for row in around}
    keys = [None, None]
    for side, place in enumerate((at - 1, at + 1)):
        if 0 <= place < len(rows):
            keys[side] = names.get(selectors.places_of(rows.iloc[[place]])[0][2])
    addresses = [
        f"{reverse('request')}{query.link(**listing.params(record=record_id))}" if record_id else ""
        for record_id in keys
    ]
    return {"place": at + 1, "of": len(rows), "previous": addresses[0], "following": addresses[1]}
