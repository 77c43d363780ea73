"""
Another factor set or methodology for figures that stand: rehearsed, or built beside and switched to.

What changes them is told apart by a bridge of five steps, each derived on the last (methodology 14). Both sides are derived
from the same cells by the same rules, so correction, activity and coverage are nothing here; then comes the method, by the old
factors, then the factors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pandas as pd

from core.accounting.aggregate import REPORTED, TOTAL
from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.selectors import emissions
from core.accounting.services.build import build_view, months_with_cells
from core.accounting.services.derive import derive_days
from core.accounting.services.views import (
    ViewError,
    begin_view,
    discard_view,
    ensure_current_view,
    release_view,
    switch_view,
)
from core.factors.instrument_selectors import has_instruments
from core.factors.selectors import factor_set_of
from core.organizations.tenancy import organization_scope
from core.quantification.methods import methodology_of

FIGURES: Final = (*(impact.name for impact in REPORTED), TOTAL)
"""What a bridge is made of, the total last."""

STEPS: Final = ("correction", "activity", "coverage", "method", "factor")
"""The steps of a bridge between two accounts of one period, in their order."""

PLACES: Final = 9
"""Decimals of totals and steps, in kWh and kg: that of the stored integers of mass, so steps add up to the last of them."""

Totals = dict[str, float | None]


@dataclass(frozen=True)
class Step:
    """
    One of ``STEPS``, and by how much it changed each figure.

    Args:
        change: None: not known on both sides of the step, so there is no difference.
        not_known: for each None, on which side of the step: ``before``, ``after`` or ``both``.
    """

    name: str
    change: Totals
    not_known: Mapping[str, str]


@dataclass(frozen=True)
class Restatement:
    """
    What a restatement does to a period, or would do.

    Args:
        old, new: totals of ``FIGURES``; None: not known.
        old_view, new_view: what they follow from. The new one is current when it was applied, else gone.
        steps: all of ``STEPS``, from old to new; those of a figure that is known all along add up to the last of ``PLACES``
            decimals.
    """

    old: Totals
    new: Totals
    old_view: View
    new_view: View
    steps: tuple[Step, ...]
    applied: bool

    def as_dict(self) -> dict[str, Any]:
        """Return plain values that JSON takes: both sides with their totals, and the steps between them."""
        sides = (("old", self.old_view, self.old), ("new", self.new_view, self.new))
        return {
            "applied": self.applied,
            "view": self.new_view.id if self.applied else self.old_view.id,
            **{
                name: {
                    "factor_set": view.factor_set.content_hash,
                    "factor_set_name": view.factor_set.name,
                    "methodology": view.methodology,
                    "totals": totals,
                }
                for name, view, totals in sides
            },
            "steps": [
                {"name": step.name, "change": step.change, "not_known": dict(step.not_known)} for step in self.steps
            ],
        }


class Progress:
    """Told how far a restatement is; this one keeps it to itself."""

    def expects(self, months: int) -> None:
        """Hear how many months there are to derive."""

    def month_done(self) -> None:
        """Hear that one more month is derived."""

    def switches(self, restatement: Restatement) -> None:
        """Hear, in the very transaction of the switch, what it does; what this raises undoes it."""


SILENT: Final = Progress()


def restate(
    *,
    organization_id: int,
    asked: Filter,
    factor_set: str | None = None,
    methodology: str | None = None,
    apply: bool = False,
    reason: str = "",
    progress: Progress = SILENT,
) -> Restatement:
    """
    Derive a period again by another factor set, another methodology or both, and compare its totals.

    Args:
        asked: period, dimensions, basis and parts of the totals.
        factor_set: name or hash; default: the current view's.
        methodology: version; default: the current view's.
        apply: build every day and make the new view current; else it is discarded, and only the period was derived (its
            whole years, where there are instruments).
        progress: told of every month and of the switch; what it raises ends the restatement and leaves nothing.

    Raises:
        NoFactorSet, UnknownMethodology: there is none of that name.
        ViewError: nothing would change.
    """
    current = ensure_current_view(organization_id)
    chosen = factor_set_of(factor_set) if factor_set else current.factor_set
    version = methodology_of(methodology or current.methodology).version
    method_changes, factors_change = version != current.methodology, chosen != current.factor_set
    if not (method_changes or factors_change):
        raise ViewError(f"The figures follow from {chosen.name} and methodology {version} already.")
    months = _months_of(organization_id, asked)
    between_too = method_changes and factors_change
    with _beside(organization_id, chosen.content_hash, version, keep=apply) as view:
        every = list(months_with_cells(organization_id).values()) if apply else months
        progress.expects(len(every) + len(months) * between_too)
        if apply:
            build_view(organization_id=organization_id, view_id=view.id, month_done=progress.month_done)
            _derive(organization_id, months, [current], SILENT)
        else:
            _derive(organization_id, months, [current, view], progress)
        old, new = _totals(organization_id, asked, current), _totals(organization_id, asked, view)
        by_method = new if method_changes else old
        if between_too:
            with _beside(organization_id, current.factor_set.content_hash, version, keep=False) as between:
                _derive(organization_id, months, [between], progress)
                by_method = _totals(organization_id, asked, between)
        stages = (old, old, old, old, by_method, new)
        steps = tuple(step_between(name, stages[at], stages[at + 1]) for at, name in enumerate(STEPS))
        restatement = Restatement(old, new, current, view, steps, applied=apply)
        if apply:
            with organization_scope(organization_id):
                progress.switches(restatement)
                switch_view(organization_id=organization_id, view_id=view.id, reason=reason)
                view.refresh_from_db()
    return restatement


@contextmanager
def derived_beside(organization_id: int, asked: Filter, *, factor_set: str, methodology: str) -> Iterator[View]:
    """
    Derive a period beside the current view, from the cells that this session reads, and discard it afterwards.

    Args:
        asked: the period; its whole years are derived where there are instruments.
        factor_set: name or hash.
    """
    with _beside(organization_id, factor_set, methodology, keep=False) as view:
        _derive(organization_id, _months_of(organization_id, asked), [view], SILENT)
        yield view


def _months_of(organization_id: int, asked: Filter) -> list[list[date]]:
    """
    List the period's days that have cells, by month; those of its whole years where instruments cover a year's consumption.
    """
    first, last = asked.from_day, asked.to_day
    with organization_scope(organization_id):
        if has_instruments(organization_id):
            first, last = date(first.year, 1, 1), date(last.year, 12, 31)
    months = months_with_cells(organization_id, first.replace(day=1)).values()
    within = ([day for day in month if first <= day <= last] for month in months)
    return [month for month in within if month]


def _derive(organization_id: int, months: list[list[date]], views: list[View], progress: Progress) -> None:
    for month in months:
        derive_days(organization_id, month, views=views)
        progress.month_done()


@contextmanager
def _beside(organization_id: int, factor_set: str, methodology: str, *, keep: bool) -> Iterator[View]:
    """Begin a view, and discard it afterwards, or where what is done with it fails."""
    view = begin_view(organization_id=organization_id, factor_set=factor_set, methodology=methodology)
    done = False
    try:
        yield view
        done = True
    finally:
        try:
            if not (done and keep):
                discard_view(organization_id=organization_id, view_id=view.id)
        finally:
            release_view(view.id)


def _totals(organization_id: int, asked: Filter, view: View) -> Totals:
    rows = emissions(organization_id, asked, bounds=False, view=view).rows
    return {
        name: round(float(rows[name].iloc[0]), PLACES) if len(rows) and pd.notna(rows[name].iloc[0]) else None
        for name in FIGURES
    }


def step_between(name: str, before: Totals, after: Totals) -> Step:
    """Subtract what is known on both sides; unknown is not 0, so a figure that becomes known has no difference there."""
    change: Totals = {}
    not_known = {}
    for figure, old in before.items():
        new = after[figure]
        change[figure] = None if old is None or new is None else round(new - old, PLACES)
        if old is None or new is None:
            not_known[figure] = "both" if old is new else "before" if old is None else "after"
    return Step(name, change, not_known)
