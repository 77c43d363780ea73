"""What a page of figures says above them (open, incomplete, restated), and the events that its chart marks."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.organizations.policy import Action, may
from reporting import figures
from reporting.charts.overlays import Event
from reporting.pages.asked import activity, period_name
from reporting.query import Query
from reporting.selectors.happenings import Happenings, Outage, Restated
from reporting.selectors.overview import Overview

RECENT: Final = timedelta(days=31)
"""A restatement is news for so long."""
MOST_NAMED: Final = 3
MOST_EVENTS: Final = 8
SILENT_FROM: Final = {
    "late": gettext_lazy("{source} has sent nothing since {day}"),
    "silent": gettext_lazy("{source} has been silent since {day}"),
    "failing": gettext_lazy("nothing that {source} sent after {day} could be read"),
}


def notices(
    request: HttpRequest, query: Query, shown: Overview, happened: Happenings, today: date
) -> list[dict[str, str]]:
    """List the lines above the figures, each {tone, icon, text, link, link_text} for components/banner.html."""
    sees_all = may(request.identity, Action.SEE_ALL_TEAMS)  # type: ignore[attr-defined]
    sees_sources = may(request.identity, Action.SEE_SOURCES)  # type: ignore[attr-defined]
    return [
        *open_period(query, today),
        *begun_inside(query, shown),
        *ended_inside(query, activity(request).last_day, today),
        *incomplete(query, happened.outages, today, linked=sees_sources),
        *restated(happened.restated, today, linked=sees_all),
    ]


def open_period(query: Query, today: date) -> list[dict[str, str]]:
    """Say that the period is open, how much of it has passed, and where figures that stay are."""
    first, last = query.filter.from_day, query.filter.to_day
    if not first <= today <= last:
        return []
    text = _("{period} is open: day {day} of {whole}. Its figures are provisional and move as records arrive.").format(
        period=period_name(query.filter, query.label), day=(today - first).days + 1, whole=(last - first).days + 1
    )
    return [line(text)]


def begun_inside(query: Query, shown: Overview) -> list[dict[str, str]]:
    """Say that nobody reported before a day inside the period."""
    first = shown.passed[0]
    if first <= query.filter.from_day:
        return []
    text = _("Records begin on {day}. What ran before is in no figure of this period.").format(
        day=date_format(first, "DATE_FORMAT")
    )
    return [line(text)]


def ended_inside(query: Query, last_day: date | None, today: date) -> list[dict[str, str]]:
    """Say that nothing has come of the latest days: whether nothing ran is not known."""
    last = min(query.filter.to_day, today - timedelta(days=1))
    if last_day is None or not query.filter.from_day <= last_day < last:
        return []
    text = _("The latest records are of {day}. Whether anything ran since is not known yet.").format(
        day=date_format(last_day, "DATE_FORMAT")
    )
    return [line(text)]


def incomplete(query: Query, outages: list[Outage], today: date, *, linked: bool) -> list[dict[str, str]]:
    """Say which sources the period lacks records of, since when, and how many of its days that are."""
    last = min(query.filter.to_day, today)
    still = [outage for outage in outages if outage.until is None and outage.since.date() < last]
    if not still:
        return []
    days = (last - query.filter.from_day).days + 1
    first_missing = min(max(outage.since.date() + timedelta(days=1), query.filter.from_day) for outage in still)
    missing = (last - first_missing).days + 1
    said = [
        SILENT_FROM[outage.state].format(source=outage.source, day=date_format(outage.since.date(), "DATE_FORMAT"))
        for outage in still[:MOST_NAMED]
    ]
    if len(still) > MOST_NAMED:
        rest = len(still) - MOST_NAMED
        said.append(ngettext("{count} more source", "{count} more sources", rest).format(count=rest))
    text = _("Incomplete: {what}. {missing} of the {days} days up to now may lack records: {share} of them.").format(
        what="; ".join(said), missing=missing, days=days, share=figures.percent(missing / days)
    )
    return [
        line(text, tone="warn", icon="triangle-alert", link="/sources/" if linked else "", link_text=_("The sources"))
    ]


def restated(found: list[Restated], today: date, *, linked: bool) -> list[dict[str, str]]:
    """Say that a restatement is under way, or that there was one lately."""
    if not found:
        return []
    latest = found[0]
    link = f"/factors/restatements/{latest.id}/" if linked else ""
    by = _("{factor_set}, methodology {methodology}").format(
        factor_set=latest.factor_set, methodology=latest.methodology
    )
    if latest.ended_at is None:
        text = _("Being restated by {by}. These figures stay until every month is derived.").format(by=by)
        if latest.months:
            text += " " + _("{done} of {months} months are.").format(done=latest.months_done, months=latest.months)
        return [line(text, icon="rotate-cw", link=link, link_text=_("Watch it"))]
    day = latest.ended_at.date()
    if today - day > RECENT:
        return []
    text = _("Restated on {day} by {by}: figures seen before may have differed.").format(
        day=date_format(day, "DATE_FORMAT"), by=by
    )
    return [line(text, icon="rotate-cw", link=link, link_text=_("The bridge between them"))]


def line(text: str, *, tone: str = "", icon: str = "info", link: str = "", link_text: str = "") -> dict[str, str]:
    """Make one notice."""
    return {"text": text, "tone": tone, "icon": icon, "link": link, "link_text": link_text}


def events_of(query: Query, happened: Happenings) -> list[Event]:
    """List what the chart marks inside the period: restatements, targets that began, outages of sources; the latest of many."""
    found = [
        Event(one.ended_at.date(), _("restated by {factor_set}").format(factor_set=one.factor_set))
        for one in happened.restated
        if one.ended_at is not None
    ]
    found += [
        Event(
            one.on,
            _("target “{name}” begins: {amount} a year").format(
                name=one.name, amount=figures.quantity(one.limit_kg_co2e_per_year, "mass")
            ),
        )
        for one in happened.targets
    ]
    found += [
        Event(
            one.since.date(),
            _("last from {source}").format(source=one.source)
            if one.until is None
            else _("nothing from {source} until {day}").format(
                source=one.source, day=date_format(one.until.date(), "DATE_FORMAT")
            ),
        )
        for one in happened.outages
    ]
    inside = [one for one in found if query.filter.from_day <= one.on <= query.filter.to_day]
    return sorted(inside, key=lambda one: one.on)[-MOST_EVENTS:]
