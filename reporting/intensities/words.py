"""What an SCI says in words: what is in a score, what is outside, and why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.utils.translation import gettext as _

from core.accounting.figures import UNATTRIBUTED, Period
from reporting import figures
from reporting.intensities.denominators import Sum, period_text
from reporting.intensities.units import CONSUMER, FunctionalUnit

MOST_NAMED: Final = 6


def holds(score: str) -> str:
    """Say which stages a score holds."""
    if score == CONSUMER:
        return _("Operation: inference, with its gateways, guards and retrieval.")
    return _(
        "Making the model: data preparation, experiments, training with every attempt, fine-tuning and evaluation."
    )


def boundary(unit: FunctionalUnit) -> dict[str, list[str]]:
    """Say what is in the score and what is outside of it, whatever the data."""
    inside = [
        _("E: electricity at the facility, cooling and losses (PUE) included, failed requests included [kWh]"),
        _("I: location-based grid intensity; no contract, certificate or offset comes in [g CO2e/kWh]"),
        _("M: embodied emissions of the hardware, amortised by the time it is held [kg CO2e]"),
    ]
    if unit.given_by == "runs":
        inside.append(_("Only training and fine-tuning records that name their run; every run counts once."))
    outside = [
        _("Upstream emissions of fuels and grid losses, where they are told apart"),
        _("Devices and networks of users; end of life of hardware"),
        _("Records without energy (quantified from spend, or stated by their provider): O = E × I needs it"),
        _("What no source reports"),
    ]
    return {"inside": inside, "outside": outside}


def not_by_records(unit: FunctionalUnit) -> str:
    return _("No record of these stages reports {counted}.").format(counted=_(unit.counted))


def nothing_delivered(unit: FunctionalUnit) -> str:
    if unit.less:
        return _("None of these requests succeeded, so there is nothing to divide by.")
    return _("There were 0 {counted}, so there is nothing to divide by.").format(counted=_(unit.counted))


def no_energy() -> str:
    return _("The energy of these records, or the intensity of their grid, is not known: there is no E × I.")


def no_records() -> str:
    return _("No record of these stages and this period matches the filters.")


def no_stage(score: str) -> str:
    return _("The filter keeps none of the stages of the {score} score.").format(score=score)


def no_runs() -> str:
    return _("No training or fine-tuning record of this period names its run.")


def too_many_runs(most: int) -> str:
    return _("More than {most} runs: choose a shorter period.").format(most=figures.count(most, compact=False))


def none_entered(unit: FunctionalUnit) -> str:
    return _("No {counted} are entered for this period.").format(counted=_(unit.counted))


def not_told_apart(unit: FunctionalUnit, dims: Sequence[str]) -> str:
    """The figures know teams, projects and applications, one at a time."""
    return _("{counted} are not told apart by {dims}.").format(
        counted=capital(_(unit.counted)), dims=_(" and ").join(dims)
    )


def none_for(unit: FunctionalUnit, level: str, name: str) -> str:
    if name == UNATTRIBUTED:
        return _("These records have no {level}, so no {counted} are entered for them.").format(
            counted=_(unit.counted), level=level
        )
    return _("No {counted} are entered for {level} {name}.").format(counted=_(unit.counted), level=level, name=name)


def incomplete(unit: FunctionalUnit, sum_: Sum) -> str:
    """Say which days have no figure, or which figure is only partly in the period."""
    parts = []
    cut_days = [Period(one.from_day, one.to_day) for one in sum_.cut]
    bare = [gap for gap in sum_.missing if not any(held(gap, days) for days in cut_days)]
    if bare:
        parts.append(
            _("{counted} are missing for {periods}.").format(counted=capital(_(unit.counted)), periods=named(bare))
        )
    if sum_.cut:
        parts.append(
            _("The figure for {periods} reaches beyond this period, and is not split.").format(
                periods=named([Period(one.from_day, one.to_day) for one in sum_.cut])
            )
        )
    return " ".join(parts)


def held(gap: Period, days: Period) -> bool:
    return days.from_day <= gap.from_day and gap.to_day <= days.to_day


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def named(periods: Sequence[Period]) -> str:
    """Name the first few of some periods, as files name them."""
    names = [period_text(period.from_day, period.to_day) for period in periods[:MOST_NAMED]]
    if len(periods) > MOST_NAMED:
        names.append(_("and {n} more").format(n=len(periods) - MOST_NAMED))
    return ", ".join(names)


def left_out(unit: FunctionalUnit) -> str:
    """Say why some records are not in the score."""
    if unit.given_by == "records":
        return _("They report no {counted}, or no energy.").format(counted=_(unit.counted))
    if unit.given_by == "runs":
        return _("They name no run, are not of training or fine-tuning, or have no energy.")
    return _("No complete figures are entered for them, or they have no energy.")
