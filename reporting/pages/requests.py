"""Requests: the records themselves, newest first, each with the way to its own figure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.accounting.figures import FilterError
from core.organizations.access import requires
from core.organizations.identity import Identity
from core.organizations.policy import Action, narrowing
from reporting import figures
from reporting.pages.asked import asked, filter_bar, period_name, said, stage_name
from reporting.query import Query
from reporting.selectors import records as selectors

MEASURES: Final = (
    ("energy_kwh", "kWh"),
    ("device_hours", "device-h"),
    ("instance_hours", "instance-h"),
    ("requests", "requests"),
    ("input_tokens", "tokens in"),
    ("output_tokens", "tokens out"),
)

BY_KG: Final = "-kg"
MOST_PAGES: Final = selectors.MOST_ORDERED // selectors.PAGE_ROWS
COUNTED: Final = frozenset({"requests", "tokens in", "tokens out"})


@require_safe
@requires(Action.SEE_REQUESTS)
def requests(request: HttpRequest) -> HttpResponse:
    """List the records behind a filter."""
    query = narrowed(asked(request), request.identity)  # type: ignore[attr-defined]
    errors = list(query.errors)
    ordered = request.GET.get("sort") == BY_KG
    page, place = listed(request, query, errors, ordered=ordered)
    figures_of = page.figures.to_dict("records")
    scale = figures.scale_for("intensity", [row["total_kg_co2e"] for row in figures_of])
    rows = [
        {
            "started_at": row["started_at"],
            "ended_at": row["ended_at"],
            "record_id": row["record_id"],
            "team": row["team"] or _("as its source"),
            "model": row["model"] or row["instance_type"] or row["hardware"] or "",
            "stage": stage_name(row["stage"]),
            "evidence": row["evidence"],
            "source": row["source"],
            "amounts": [amount(row[name], unit) for name, unit in MEASURES if row.get(name) is not None],
            "kg": figures.number(own["total_kg_co2e"], scale),
            "range": figures.interval(own["total_kg_co2e_low"], own["total_kg_co2e_high"], scale),
            "method": own["method"],
        }
        for row, own in zip(page.rows, figures_of, strict=True)
    ]
    crumbs = [(_("Total"), f"/{query.link(team=None, model=None)}")]
    crumbs += [(said("team", team), f"/models/{query.link(model=None)}") for team in query.params.get("team", ())]
    crumbs += [(said("model", model), "") for model in query.params.get("model", ())]
    return render(
        request,
        "reporting/requests.html",
        {
            "title": _("Requests"),
            "query": query,
            "query_errors": errors,
            "period_label": period_name(query.filter, query.label),
            "filter_bar": filter_bar(query),
            "crumbs": crumbs if len(crumbs) > 1 else [],
            "rows": rows,
            "total": page.total,
            "unit": scale.unit,
            "ordered": ordered,
            "order": query.link() if ordered else query.link(sort=BY_KG),
            **place,
        },
    )


def listed(
    request: HttpRequest, query: Query, errors: list[str], *, ordered: bool
) -> tuple[selectors.Records, dict[str, str]]:
    """Read the records of the page, and where the pages before and after are; what cannot be read is said."""
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    cursor = request.GET.get("after") or None
    try:
        if ordered:
            text = request.GET.get("page", "1")
            number = int(text) if text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= MOST_PAGES else 1
            offset = (number - 1) * selectors.PAGE_ROWS
            page = selectors.heaviest(organization_id, query.filter, offset=offset)
            more = offset + len(page.rows) < (page.total or 0)
            return page, {
                "older": query.link(sort=BY_KG, page=str(number + 1)) if more else "",
                "newest": query.link(sort=BY_KG) if number > 1 else "",
                "newer_text": _("Heaviest"),
                "older_text": _("Lighter"),
            }
        page = selectors.records(organization_id, query.filter, cursor=cursor)
    except FilterError as error:
        errors.append(str(error))
        return selectors.Records.none(), {}
    except selectors.TooManyToOrder as error:
        errors.append(_("{fault} Choose a shorter period or a filter; shown are the newest.").format(fault=error))
        page, cursor = selectors.records(organization_id, query.filter), None
    except ValueError:
        errors.append(_("The list cannot go on from there; it begins anew."))
        page = selectors.records(organization_id, query.filter)
    return page, {
        "older": query.link(after=page.next_cursor) if page.next_cursor else "",
        "newest": query.link() if cursor else "",
    }


def amount(value: float, unit: str) -> str:
    """Write a measure shortly: 16.0 M tokens in, 5.31 kWh."""
    if unit in COUNTED:
        return f"{figures.count(value)} {unit}"
    return f"{figures.number(float(value), figures.plain_scale([float(value)]))}{figures.THIN}{unit}"


def narrowed(query: Query, identity: Identity) -> Query:
    """Show single records of the own team only to those who see no more of others than totals."""
    own = narrowing(identity, requests=True)
    if not own:
        return query
    dims = {**query.filter.dims, **own}
    return replace(
        query,
        filter=replace(query.filter, dims=dims),
        params=query.params | own,
        allowed=query.allowed | own,
    )
