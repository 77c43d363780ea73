"""What the navigation shows: pages that exist and that the asker may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.organizations.identity import Identity
from core.organizations.policy import Action, may
from reporting.handbook.terms import HELP

# group, label, name of the address, the right that the page asks for
ENTRIES: Final[tuple[tuple[str | Promise, str | Promise, str, Action], ...]] = (
    ("", _("Overview"), "overview", Action.SEE_OWN_TEAM),
    ("", _("Teams"), "teams", Action.SEE_OWN_TEAM),
    ("", _("Models"), "models", Action.SEE_OWN_TEAM),
    ("", _("Requests"), "requests", Action.SEE_REQUESTS),
    ("", _("Intensity"), "intensity", Action.SEE_OWN_TEAM),
    ("", _("Training runs"), "runs", Action.SEE_OWN_TEAM),
    (_("Decide"), _("Providers"), "providers", Action.SEE_PROVIDERS),
    (_("Decide"), _("Targets"), "targets", Action.SEE_OWN_TEAM),
    (_("Decide"), _("Budgets"), "budgets", Action.SEE_OWN_TEAM),
    (_("Decide"), _("Scenarios"), "scenarios", Action.SEE_ALL_TEAMS),
    (_("Report"), _("Disclosures"), "disclosures", Action.SEE_PERIODS),
    (_("Report"), _("Factors"), "factors", Action.SEE_OWN_TEAM),
    (_("Report"), _("Methodology"), "methodology", Action.SEE_OWN_TEAM),
    (_("Report"), _("Electricity"), "instruments", Action.SEE_ALL_TEAMS),
    (_("Report"), _("Audit log"), "audit", Action.SEE_AUDIT_LOG),
    (_("Data"), _("Sources and imports"), "sources", Action.SEE_SOURCES),
    (_("Data"), _("Data quality"), "quality", Action.SEE_SOURCES),
    (_("Data"), _("Sites and assets"), "sites", Action.SEE_PERIODS),
    (_("Data"), _("Jobs"), "jobs", Action.SEE_OWN_TEAM),
    (_("Data"), _("Settings"), "settings", Action.SEE_OWN_TEAM),
    (_("Data"), _("System"), "system", Action.MANAGE_PEOPLE),
)

SENDING: Final = frozenset({"sources", "source_add", "source", "import", "batch_page", "experiments"})
"""Pages about sending data, whose help is the reference of the API."""


@dataclass(frozen=True)
class Entry:
    """A page in the navigation."""

    label: str | Promise
    url: str
    current: bool
    counted: str = ""  # address that says how much is under way there, asked after the page


@dataclass(frozen=True)
class Group:
    """Pages under one heading; the first group has none."""

    label: str | Promise
    entries: list[Entry]


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context processor: the organization, its switcher and the navigation entries."""
    identity = getattr(request, "identity", None)
    found = []
    for group, label, name, action in ENTRIES:
        if not may(identity, action):
            continue
        try:
            found.append((group, label, reverse(name)))
        except NoReverseMatch:
            continue
    here = max((url for _group, _label, url in found if is_below(request.path, url)), key=len, default="")
    groups: dict[str, Group] = {}
    for group, label, url in found:
        counted = reverse("jobs_running") if url == reverse("jobs") else ""
        groups.setdefault(str(group), Group(group, [])).entries.append(Entry(label, url, url == here, counted))
    return {
        "organization": getattr(request, "organization", None),
        "memberships": getattr(request, "memberships", []),
        "identity": identity,
        "nav": list(groups.values()),
        "help_address": help_address(request) if identity else "",
    }


def pages_for(identity: Identity) -> list[tuple[str, str]]:
    """List the pages of the navigation that somebody may open: label and address."""
    return [(str(label), reverse(name)) for _group, label, name, action in ENTRIES if may(identity, action)]


def help_address(request: HttpRequest) -> str:
    """Give the page of the handbook that belongs to this page; its contents where none does, the API's for its senders."""
    shown = request.resolver_match.url_name if request.resolver_match else None
    if shown in SENDING:
        return reverse("docs")
    page = HELP.get(shown or "")
    return reverse("methodology_page", args=[page]) if page else reverse("methodology")


def is_below(path: str, url: str) -> bool:
    """
    Tell whether a page belongs to an entry; the nearest of several is the one shown as current.

    >>> is_below("/settings/sites/berlin/", "/settings/"), is_below("/teams/", "/")
    (True, False)
    """
    return path == url if url == "/" else path.startswith(url)
