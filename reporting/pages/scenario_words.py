"""Rules and results of scenarios in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from core.quantification.scenario import Rewrite
from reporting import figures
from reporting.pages.words import said


def verdict_said(verdict: str) -> dict[str, str]:
    """Write a verdict as a badge, with what it means."""
    return {
        "lower": {"text": _("lower"), "kind": "good", "means": ""},
        "higher": {"text": _("higher"), "kind": "warn", "means": ""},
        "not_distinguishable": {
            "text": _("not distinguishable"),
            "kind": "stated",
            "means": _("the range of the difference holds 0, once the errors that both share are taken out"),
        },
        "not_comparable": {
            "text": _("not comparable"),
            "kind": "stated",
            "means": _(
                "some of it has a figure only before or only after the change, so the two totals are not of the same"
            ),
        },
        "no_effect": {
            "text": _("no effect"),
            "kind": "stated",
            "means": _("no factor of these uses depends on what the rules change, on this basis"),
        },
    }[verdict]


def finding(verdicts: Sequence[tuple[str, str, float | None]]) -> str:
    """
    Say what scenarios come to against what was recorded: first what cannot be told apart, then the largest saving that can.

    Args:
        verdicts: of each scenario its name, its verdict and the share of the baseline that it differs by.
    """
    apart = [(share, name) for name, verdict, share in verdicts if verdict in ("lower", "higher") and share is not None]
    if len(verdicts) == 1 and not apart and verdicts[0][1] in ("lower", "higher"):  # of nothing there is no share
        name, verdict, _unused = verdicts[0]
        said = {"lower": _("{name} is below what was recorded"), "higher": _("{name} is above what was recorded")}
        return said[verdict].format(name=name)
    best = min(apart, default=None)
    one = "" if best is None else _against(best[1], best[0])
    if len(verdicts) == 1 and best is None:
        name, verdict, _unused = verdicts[0]
        return {
            "not_distinguishable": _("{name} is not distinguishable from what was recorded"),
            "not_comparable": _("{name} is not comparable with what was recorded"),
        }.get(verdict, _("{name} changes nothing")).format(name=name)
    alike = sum(verdict == "not_distinguishable" for _each, verdict, _unused in verdicts)
    if best is None:
        return _("None of the {n} scenarios is distinguishable from what was recorded").format(n=len(verdicts))
    if alike:
        return _("{k} of {n} scenarios not distinguishable from what was recorded; {one}").format(
            k=alike, n=len(verdicts), one=one
        )
    return one


def _against(name: str, share: float) -> str:
    said_share = figures.percent(abs(share))
    if share < 0.0:
        return _("{name} is {share} below what was recorded").format(name=name, share=said_share)
    return _("{name} is {share} above what was recorded").format(name=name, share=said_share)


def rule_said(rule: Rewrite) -> dict[str, Any]:
    """Write a rule as two phrases: which uses, and what becomes of them."""
    where = [
        f"{_name(name)} {_or(said(name, value) for value in values)}" for name, values in sorted(rule.where.items())
    ]
    about = ", ".join(where) or _("all uses")
    if rule.share < 1.0:
        about = _("{share} of {uses}").format(share=figures.percent(rule.share), uses=about)
    does = [f"{_name(name)} → {said(name, value)}" for name, value in rule.sets.items()]
    does += [_("with {technique}").format(technique=each) for each in rule.techniques]
    does += [f"{_amount(name)} × {_digits(value)}" for name, value in rule.scales.items()]
    if rule.energy_saving is not None:
        value, low, high = rule.energy_saving
        does.append(_("energy saved {share}").format(share=figures.percent(value)) + _spread(low, high, 100.0, " %"))
    for name, (value, low, high) in rule.factors.items():
        unit = "" if name == "pue" else " g CO2e/kWh"
        does.append(f"{_factor(name)} {_digits(value)}{unit}{_spread(low, high, 1.0, unit)}")
    if rule.price is not None:
        does.append(_("cost × {price}").format(price=_digits(rule.price)))
    return {"about": about, "does": does, "source": rule.source}


def _spread(low: float, high: float, factor: float, unit: str) -> str:
    if low == high:
        return ""
    span = _("{low} to {high}").format(low=_digits(low * factor), high=_digits(high * factor))
    return f" ({span}{unit})"


def _digits(value: float) -> str:
    return figures.grouped(f"{value:g}")


def _or(names: Any) -> str:
    return _(" or ").join(names)


def _name(name: str) -> str:
    return {
        "team": _("team"),
        "project": _("project"),
        "application": _("application"),
        "model": _("model"),
        "provider": _("provider"),
        "region": _("region"),
        "zone": _("grid zone"),
        "stage": _("stage"),
        "hosting": _("hosting"),
        "hardware": _("hardware"),
        "instance_type": _("instance type"),
        "tier": _("service level"),
    }.get(name, name)


def _amount(name: str) -> str:
    return {
        "volume": _("all amounts"),
        "input_tokens": _("input tokens"),
        "output_tokens": _("output tokens"),
        "device_hours": _("device hours"),
        "instance_hours": _("instance hours"),
    }.get(name, name)


def _factor(name: str) -> str:
    return {
        "pue": _("PUE"),
        "grid_g_co2e_per_kwh": _("grid"),
        "market_g_co2e_per_kwh": _("contract for electricity"),
    }[name]
