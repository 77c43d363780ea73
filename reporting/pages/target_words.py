"""What pages say of a target: its status, what it asks for, and whether it is kept."""

from __future__ import annotations

from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from reporting import figures
from reporting.pages.words import basis_name, period_name, said
from reporting.selectors.target_figures import Progress
from reporting.targets.definition import (
    CEILING,
    COMPOUND,
    CONTRACTION,
    EMISSIONS,
    ENERGY,
    LINEAR,
    MINIMUM_ANNUAL_RATES,
    STEPPED,
    WATER,
    Definition,
)
from reporting.targets.status import (
    ABOVE,
    AT_RISK,
    BELOW,
    COVERAGE_LOW,
    CROSSES,
    ENDED_ABOVE,
    ENDED_BELOW,
    MET,
    NO_DATA,
    NOT_ASSESSABLE,
    NOT_BEGUN,
    OFF_PATH,
    ON_PATH,
    Status,
)

KINDS: Final[dict[str, figures.Kind]] = {EMISSIONS: "mass", ENERGY: "energy", WATER: "water"}
MEASURES: Final = {
    EMISSIONS: gettext_lazy("Emissions"),
    ENERGY: gettext_lazy("Electricity"),
    WATER: gettext_lazy("Water"),
}
PATHS: Final = {
    LINEAR: gettext_lazy("a straight line"),
    STEPPED: gettext_lazy("in steps"),
    COMPOUND: gettext_lazy("a percentage of what is left, year by year"),
    CONTRACTION: gettext_lazy("SBTi cross-sector absolute contraction"),
    CEILING: gettext_lazy("a ceiling that stays the same"),
}
WORDS: Final = {
    ON_PATH: gettext_lazy("on path"),
    AT_RISK: gettext_lazy("at risk"),
    OFF_PATH: gettext_lazy("off path"),
    MET: gettext_lazy("met"),
    NOT_ASSESSABLE: gettext_lazy("not assessable"),
}
TONES: Final = {ON_PATH: "good", AT_RISK: "warn", OFF_PATH: "bad", MET: "good", NOT_ASSESSABLE: ""}
REASONS: Final = {
    ABOVE: gettext_lazy("what it came to so far lies above the path"),
    CROSSES: gettext_lazy("below the path so far, but the year is expected to end above it"),
    BELOW: gettext_lazy("what it came to so far lies within the path"),
    ENDED_ABOVE: gettext_lazy("the target year ended above it: missed"),
    ENDED_BELOW: gettext_lazy("the target year ended within it"),
    COVERAGE_LOW: gettext_lazy("too much of the period is not known"),
    NO_DATA: gettext_lazy("nothing is known of the period"),
    NOT_BEGUN: gettext_lazy("the first month of the path is not over"),
}


def status_said(status: Status) -> dict[str, Any]:
    """Write a status: its word, its tone and why."""
    return {
        "word": WORDS[status.word],
        "tone": TONES[status.word],
        "because": REASONS[status.because],
        "key": status.word,
    }


def kind_of(definition: Definition) -> figures.Kind:
    """Tell in which kind of unit the target's figures are written."""
    return "intensity" if definition.per else KINDS[definition.measure]


def amount_said(value: float | None, definition: Definition, unit_text: str = "") -> str:
    """Write an amount of what the target is about, with its unit."""
    if value is None:
        return figures.UNKNOWN
    text = figures.quantity(value, kind_of(definition))
    if definition.measure == EMISSIONS:
        text = f"{text} CO2e"
    return _("{amount} per {unit}").format(amount=text, unit=unit_text or definition.per) if definition.per else text


def about_said(definition: Definition) -> list[tuple[str, str]]:
    """List what narrows a target: the name of each dimension and its values."""
    return [
        (name, ", ".join(said(name, value) for value in values)) for name, values in sorted(definition.dims.items())
    ]


def scope_said(definition: Definition) -> str:
    """Say in one line what a target is about."""
    return "; ".join(values for _name, values in about_said(definition)) or _("the whole organization")


def asks_said(definition: Definition, unit_text: str = "") -> str:
    """Say in one sentence what a target asks for."""
    if definition.path == CEILING:
        amount = amount_said(definition.ceiling, definition, unit_text)
        return (
            _("at most {amount}").format(amount=amount)
            if definition.per
            else _("at most {amount} a year").format(amount=amount)
        )
    share = figures.percent(definition.reduction)
    base = (
        period_name(definition.filter(definition.base_from, definition.base_to))
        if definition.base_from and definition.base_to
        else ""
    )
    return _("{share} less than {base} by {year}").format(share=share, base=base, year=definition.target_year)


def path_said(definition: Definition) -> str:
    """Say how the path leads to its end."""
    text = str(PATHS[definition.path])
    if definition.path == CONTRACTION:
        rate = figures.percent(MINIMUM_ANNUAL_RATES[definition.ambition])
        text += ", " + _("{ambition}, at least {rate} a year since 2020 or the base year").format(
            ambition={"1.5C": "1.5 °C"}.get(definition.ambition, _("well below 2 °C")), rate=rate
        )
    if definition.milestones:
        steps = ", ".join(f"{each.year}: {figures.percent(each.reduction)}" for each in definition.milestones)
        text += f" ({steps})"
    return text


def parts_said(definition: Definition) -> str:
    """Say which parts of the emissions are counted."""
    if definition.per:
        return _("software carbon intensity: location-based electricity and the hardware's share")
    if definition.measure != EMISSIONS:
        return _("at the facility") if definition.measure == ENERGY else _("on site and at the power plant")
    names = {"upstream": _("upstream of electricity"), "embodied": _("hardware, amortised share")}
    return ", ".join([basis_name(definition.basis), *(names[part] for part in definition.include)])


def finding(progress: Progress) -> str:
    """Say how far a target is kept or missed, for the title of its chart."""
    actual, allowed = progress.actual.value, progress.allowed
    if progress.status.word == NOT_ASSESSABLE or actual is None or allowed is None or progress.window is None:
        return _("Nobody can say yet whether the target is kept")
    period = period_name(progress.path.definition.filter(*progress.window))
    over = actual / allowed - 1.0 if allowed > 0 else None
    if over is None:
        return _("{period} ran above a path of nothing").format(period=period)
    words = _("{period} ran {share} above the path") if over > 0 else _("{period} ran {share} below the path")
    return words.format(period=period, share=figures.percent(abs(over)))
