"""The checklist in words: what each item asks, and what was found."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from reporting import figures
from reporting.selectors.checklist import Finding

TITLES: Final = {
    "coverage": gettext_lazy("Completeness"),
    "quarantine": gettext_lazy("Quarantine"),
    "unknown_models": gettext_lazy("Records without a figure"),
    "cross_checks": gettext_lazy("Cross-checks"),
    "late_sources": gettext_lazy("Late sources"),
    "unlinked_sources": gettext_lazy("Unlinked sources"),
    "moved_since": gettext_lazy("Late records"),
}
PLACES: Final = {
    "coverage": "completeness",
    "quarantine": "quality",
    "unknown_models": "quality",
    "cross_checks": "coverage_units",
    "late_sources": "sources",
    "unlinked_sources": "coverage_units",
}
"""Where each item is settled: names of addresses."""


def said(finding: Finding) -> str:
    """Say what was found, in one sentence."""
    facts = finding.facts
    names = ", ".join(facts.get("names", []))
    if finding.item == "coverage":
        return _coverage(finding, names)
    if finding.item == "quarantine":
        if not facts["rows"]:
            return _("No row waits in quarantine.")
        words = ngettext("{count} row waits", "{count} rows wait", facts["rows"])
        return words.format(count=figures.count(facts["rows"], compact=False)) + _(
            ": {share} of what was delivered; up to {allowed} is let pass."
        ).format(share=figures.percent(facts["share"]), allowed=figures.percent(facts["allowed_share"]))
    if finding.item == "unknown_models":
        return _without(finding, names)
    if finding.item == "cross_checks":
        if not finding.open:
            return _("What two sources say of the same agrees within five per cent.")
        return _("{names}: sources disagree by {gap}, or cannot be compared.").format(
            names=names, gap=figures.quantity(facts["gap_kg_co2e"], "mass")
        )
    if finding.item == "late_sources":
        if not finding.open:
            return _("Every source has reported beyond the end of the period.")
        return _("Nothing came after the end of the period from {names}.").format(names=names)
    if finding.item == "unlinked_sources":
        if not finding.open:
            return _("Every source is tied to what it describes, or stands alone.")
        return _("{names}: {amount} may be counted a second time; nothing says what they describe.").format(
            names=names, amount=figures.quantity(facts["kg_co2e"], "mass")
        )
    if not finding.open:
        return _("The figures are those of the soft close.")
    return _(
        "Figures have changed since the soft close, by {amount}: read them anew, or leave what came late out."
    ).format(amount=figures.quantity(float(facts["t_co2e"]) * 1000, "mass", sign=True))


def _coverage(finding: Finding, names: str) -> str:
    if not finding.facts["expected"]:
        return _("Nothing is entered as expected, so nothing can be missing.")
    if not finding.open:
        return _("Every day that was expected is there.")
    words = ngettext("{count} day is missing: {names}.", "{count} days are missing: {names}.", finding.facts["days"])
    return words.format(count=figures.count(finding.facts["days"], compact=False), names=names)


def _without(finding: Finding, names: str) -> str:
    if not finding.open:
        return _("Every record has a figure.")
    count = finding.facts["records"]
    words = ngettext("{count} record has no figure", "{count} records have no figure", count)
    text = words.format(count=figures.count(count, compact=False))
    return f"{text}: {names}." if names else f"{text}."
