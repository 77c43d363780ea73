"""Methodology: every formula with its units, sources, worked example and limits, as docs/methodology has them."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.organizations.access import requires
from core.organizations.policy import Action
from reporting.handbook.contents import README, Entry, around_groups, contents, entries, text_of
from reporting.handbook.rendering import render as render_text
from reporting.handbook.rendering import rendered
from reporting.handbook.terms import IN_YOUR_FIGURES


@require_safe
@requires(Action.SEE_OWN_TEAM)
def methodology(request: HttpRequest) -> HttpResponse:
    """List the pages, with what holds for all of them."""
    before, after = (render_text(part, address_of) for part in around_groups(text_of(README)))
    return render(
        request,
        "reporting/methodology.html",
        {
            "title": before.title,
            "before": mark_safe(before.html),  # noqa: S308  # rendered escaped
            "groups": contents(),
            "after": mark_safe(after.html),  # noqa: S308  # rendered escaped
        },
    )


@require_safe
@requires(Action.SEE_OWN_TEAM)
def methodology_page(request: HttpRequest, name: str) -> HttpResponse:
    """Show one page, between those before and after it."""
    if name not in entries():
        raise Http404
    page = rendered(name, address_of)
    before, after = neighbours(name)
    group = next(group for group in contents() for entry in group.entries if entry.name == name)
    return render(
        request,
        "reporting/methodology_page.html",
        {
            "title": page.title,
            "crumbs": [(_("Methodology"), reverse("methodology")), (_(group.title), ""), (_(page.title), "")],
            "article": mark_safe(page.html),  # noqa: S308  # rendered escaped
            "groups": contents(),
            "current": name,
            "before": before,
            "after": after,
            "own_figures": IN_YOUR_FIGURES.get(name, ""),
        },
    )


def address_of(name: str) -> str:
    """Give the address of a page, "README" being the contents."""
    return reverse("methodology") if name == README else reverse("methodology_page", args=[name])


def neighbours(name: str) -> tuple[Entry | None, Entry | None]:
    """Find the pages before and after one, in the order of the contents."""
    ordered = list(entries().values())
    at = [entry.name for entry in ordered].index(name)
    return ordered[at - 1] if at else None, ordered[at + 1] if at + 1 < len(ordered) else None
