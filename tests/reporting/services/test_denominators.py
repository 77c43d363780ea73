"""Entering business figures: all or nothing, corrections beside what they correct, one organization's only."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from core.organizations.models import AuditEvent
from core.organizations.tenancy import organization_scope
from reporting.models import DenominatorFigure
from reporting.selectors.denominators import figures, units
from reporting.services.denominators import FaultyFigures, enter_figures

pytestmark = pytest.mark.django_db


def row(value="200", period="2026-07", series="accepted_tasks", **others):
    return {"series": series, "period": period, "value": value, **others}


def enter(organization, *rows):
    return enter_figures(organization_id=organization.id, rows=rows)


def standing(organization, **options):
    with organization_scope(organization.id):
        return [(one.series, str(one.from_day), one.value_in_units) for one in figures(organization.id, **options)]


def faults_of(organization, *rows):
    with pytest.raises(FaultyFigures) as refused:
        enter(organization, *rows)
    return [(fault.row, fault.field, fault.reason) for fault in refused.value.faults]


def test_a_correction_names_what_it_replaces_and_both_stay(organization):
    enter(organization, row("200"))

    (corrected,) = enter(organization, row("210", source="recount")).figures

    assert standing(organization) == [("accepted_tasks", "2026-07-01", Decimal(210))]
    assert len(standing(organization, replaced=True)) == 2
    assert corrected.replaces.value_in_units == 200


def test_the_same_figure_again_changes_nothing(organization):
    first = enter(organization, row("200"))

    again = enter(organization, row("200.000"))

    assert (first.written, again.written) == (1, 0)
    assert again.figures[0].pk == first.figures[0].pk
    assert len(standing(organization, replaced=True)) == 1


def test_a_withdrawn_figure_can_be_entered_anew(organization):
    enter(organization, row("200"))
    enter(organization, row("withdrawn"))
    assert standing(organization) == []

    enter(organization, row("5"))

    assert standing(organization) == [("accepted_tasks", "2026-07-01", Decimal(5))]
    assert len(standing(organization, replaced=True)) == 3


def test_one_fault_keeps_everything_out_and_all_faults_are_said(organization):
    found = faults_of(
        organization,
        row("1", "2026-01"),
        row("-1", "2026-02"),
        row("1", "soon"),
        row("1", "2026-01"),
        row("withdrawn", "2026-05"),
        row("1", series="claims"),
    )

    assert [(number, field) for number, field, _ in found] == [
        (2, "value"),
        (3, "period"),
        (4, "period"),
        (5, "value"),
        (6, "unit"),
    ]
    assert standing(organization) == []


def test_figures_of_one_series_never_share_days(organization):
    enter(organization, row("300", "2026-Q3"), row("9", "2026-07", team="search"))

    month = faults_of(organization, row("100", "2026-07"))
    two = faults_of(organization, row("1", "2026-04-30"), row("2", "2026-04"))
    enter(organization, row("withdrawn", "2026-Q3"), row("100", "2026-07"))

    assert month == [(1, "period", "It shares days with the figure for 2026-Q3: withdraw one of them.")]
    assert [number for number, *_ in two] == [1, 2]
    assert ("accepted_tasks", "2026-07-01", Decimal(100)) in standing(organization)


def test_what_one_of_a_unit_is_is_said_once(organization):
    enter(organization, row(series="claims", unit="claim handled"))

    (later,) = enter(organization, row(period="2026-08", series="claims")).figures
    other = faults_of(organization, row(period="2026-09", series="claims", unit="claim filed"))

    assert later.unit_text == "claim handled"
    assert other[0][1] == "unit"
    with organization_scope(organization.id):
        assert [unit.text for unit in units(organization.id)][-1] == "claim handled"


def test_nothing_at_all_is_a_fault(organization):
    assert faults_of(organization) == [(1, "", "There is no figure.")]


def test_an_entry_leaves_an_event_with_before_and_after(organization):
    enter(organization, row("200"))
    enter(organization, row("210"))

    with organization_scope(organization.id):
        event = AuditEvent.objects.order_by("-sequence").first()

    assert event.action == "enter_denominators"
    assert event.before["figures"][0]["value"] == "200"
    assert event.after["figures"][0]["value"] == "210"


def test_figures_are_append_only_in_the_database(organization):
    enter(organization, row("200"))

    with organization_scope(organization.id):
        for change in (
            lambda rows: rows.update(value_in_units=1),
            lambda rows: rows.delete(),
        ):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                change(DenominatorFigure.objects.all())


def test_a_figure_cannot_be_replaced_twice(organization):
    first = enter(organization, row("200")).figures[0]
    enter(organization, row("210"))

    with organization_scope(organization.id), pytest.raises(IntegrityError), transaction.atomic():
        DenominatorFigure.objects.create(
            organization_id=organization.id,
            series="accepted_tasks",
            unit_text="accepted task",
            from_day=first.from_day,
            to_day=first.to_day,
            value_in_units=1,
            replaces=first,
        )


def test_another_organization_sees_nothing_of_it(organization, other_organization):
    enter(organization, row("200"))

    with organization_scope(other_organization.id):
        assert DenominatorFigure.objects.count() == 0
    (theirs,) = enter(other_organization, row("7")).figures
    assert theirs.replaces is None
    assert standing(organization) == [("accepted_tasks", "2026-07-01", Decimal(200))]


def test_a_delivery_of_years_of_days_is_quick_enough(organization):
    months = [f"{year}-{month:02}" for year in range(2014, 2026) for month in range(1, 13)]
    rows = [row("1", f"{month}-{day:02}") for month in months for day in (1, 9, 28)]

    assert enter(organization, *rows).written == 12 * 12 * 3
    assert len(faults_of(organization, *(row("1", month) for month in months))) == 12 * 12
