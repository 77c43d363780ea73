"""What needs somebody: ranked, at most five, each with where to go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.apps import apps
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.accounting.selectors.conditions import source_names
from core.accounting.selectors.rules import links_in_order
from core.quantification.coverage import units_of
from reporting import figures
from reporting.selectors.happenings import outages
from reporting.selectors.overview import Overview
from reporting.selectors.projection import passes_on

MOST_ITEMS: Final = 5
LATE_AFTER: Final = timedelta(minutes=15)


@dataclass(frozen=True)
class Item:
    """One thing to look at."""

    lead: str  # who or what, in bold
    text: str
    address: str
    weight: float  # kg at stake, for the order
    tone: str = ""


def attention(organization_id: int, shown: Overview, *, now: datetime) -> list[Item]:
    """List what needs somebody, the most kilograms at stake first."""
    items = [
        *over_limit(shown),
        *heading_over(shown, now.date()),
        *unattributed(shown),
        *uncertain(shown),
        *late(shown, now),
        *unlinked(organization_id, shown),
        *quarantined(organization_id),
        *silent(organization_id, shown),
    ]
    return sorted(items, key=lambda item: -item.weight)[:MOST_ITEMS]


def over_limit(shown: Overview) -> list[Item]:
    """The period is above its limit."""
    limit_kg = shown.limits.so_far
    if limit_kg is None or shown.total.value is None or shown.total.value <= limit_kg:
        return []
    over = shown.total.value - limit_kg
    return [
        Item(
            _("The target"),
            _("of this period is passed by {amount}; {share} of it.").format(
                amount=figures.quantity(over, "mass"), share=figures.percent(over / limit_kg)
            ),
            "/targets/",
            over,
            "bad",
        )
    ]


def heading_over(shown: Overview, today: date) -> list[Item]:
    """The period will pass its limit if it goes on like this, and has not yet."""
    projected, limit_kg = shown.projection, shown.limits.to_the_end
    if projected is None or limit_kg is None or (day := passes_on(projected, limit_kg)) is None:
        return []
    scale = figures.scale_for("mass", [limit_kg])
    text = _(
        "of this period will be passed about {day} if it goes on like this: {amount} {unit} ({range}) of {limit} {unit}."
    )
    if day < today:
        text = _(
            "of this period was passed about {day} if days without records are like those before; at its end {amount} {unit}"
            " ({range}) of {limit} {unit}."
        )
    return [
        Item(
            _("The target"),
            text.format(
                day=date_format(day, "MONTH_DAY_FORMAT"),
                amount=figures.number(projected.value, scale),
                range=figures.interval(projected.low, projected.high, scale),
                limit=figures.number(limit_kg, scale),
                unit=scale.unit,
            ),
            "/targets/",
            projected.value - limit_kg,
            "bad" if projected.low > limit_kg else "",
        )
    ]


def unattributed(shown: Overview) -> list[Item]:
    """Emissions of nobody."""
    row = next((row for row in shown.teams if row.key == "unattributed"), None)
    if row is None or not row.kg.value:
        return []
    return [
        Item(
            figures.quantity(row.kg.value, "mass"),
            _("belong to no team: their records, tokens and sources name none."),
            "/models/?team=unattributed",
            row.kg.value,
        )
    ]


def uncertain(shown: Overview) -> list[Item]:
    """Models that have activity and no figure."""
    unknown = [row for row in shown.models if row.kg.value is None and row.key != "unattributed"]
    if not unknown:
        return []
    names = ", ".join(row.label for row in unknown[:3])
    words = ngettext("{names} has activity but no figure", "{names} have activity but no figure", len(unknown))
    return [
        Item(
            _("Unknown model"),
            words.format(names=names) + ": " + _("name an alias that the factors know."),
            "/quality/",
            0.0,
        )
    ]


def unlinked(organization_id: int, shown: Overview) -> list[Item]:
    """
    Sources that count and that nobody has tied to what they describe: they may count something a second time.

    An organization's only source overlaps with nothing.
    """
    sources = {title: number for number, title in source_names(organization_id).items()}
    if len(sources) < 2 or shown.sources.empty:
        return []
    rows = shown.sources.assign(source_id=shown.sources["source"].map(sources))
    units = units_of(rows, links_in_order(organization_id))
    open_rows = rows[[unit is None for unit in units]]
    return [
        Item(
            str(name),
            _("counts {amount} and is tied to nothing it describes; another source may describe the same.").format(
                amount=figures.quantity(float(own["total_kg_co2e"].sum()), "mass")
            ),
            "/quality/units/",
            float(own["total_kg_co2e"].sum()),
        )
        for name, own in open_rows.groupby("source")
        if own["total_kg_co2e"].sum() > 0
    ]


def quarantined(organization_id: int) -> list[Item]:
    """Rows that could not be read and wait for somebody. The model is named as a string: the two apps do not know each other."""
    rows = apps.get_model("ingestion", "QuarantinedRow").objects
    count = rows.filter(organization_id=organization_id, state="open").count()
    if not count:
        return []
    words = ngettext("{count} row", "{count} rows", count).format(count=figures.count(count, compact=False))
    return [Item(words, _("in quarantine: delivered, but not in any figure."), "/quality/", 0.0)]


SILENCE: Final = {
    "late": gettext_lazy("has sent nothing since {at} UTC, later than expected."),
    "silent": gettext_lazy("has been silent since {at} UTC."),
    "failing": gettext_lazy("fails: no row of its latest payload, of {at} UTC, could be read."),
}


def silent(organization_id: int, shown: Overview) -> list[Item]:
    """Sources with an open alert; at stake is what they emitted in the period, of which more is missing now."""
    still_open = [outage for outage in outages(organization_id) if outage.until is None]
    own = {} if shown.sources.empty else shown.sources.groupby("source")["total_kg_co2e"].sum().to_dict()
    return [
        Item(
            outage.source,
            SILENCE[outage.state].format(at=date_format(outage.since, "SHORT_DATETIME_FORMAT")),
            f"/sources/{outage.source_id}/",
            float(own.get(outage.source, 0.0)),
            "" if outage.state == "late" else "bad",
        )
        for outage in still_open
    ]


def late(shown: Overview, now: datetime) -> list[Item]:
    """Figures lag behind the records."""
    if shown.as_of is None or now - shown.as_of < LATE_AFTER:
        return []
    return [
        Item(
            _("Figures are late"),
            _("since {at} UTC; is the worker running?").format(at=date_format(shown.as_of, "SHORT_DATETIME_FORMAT")),
            "/sources/",
            float("inf"),
            "bad",
        )
    ]
