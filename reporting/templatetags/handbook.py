"""Terms that link to the page of the handbook that defines them."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from reporting.handbook.contents import entries
from reporting.handbook.terms import NOTES
from reporting.pages.methodology import address_of
from reporting.pages.words import basis_name as name_of_basis

register = template.Library()


@register.simple_tag
def term(name: str, text: str = "") -> SafeString:
    """
    Link a word to its page; its one line shows on hover and focus.

    Args:
        name: of the page; where it is empty the word stands alone.
        text: the word; default: the page's title.
    """
    if not name:
        return format_html("{}", text)
    entry = entries()[name]
    return format_html(
        '<a class="term" href="{}" title="{}">{}</a>', address_of(name), _(entry.line), text or _(entry.title)
    )


@register.filter
def note_page(code: str) -> str:
    """Name the page of a note's code; "" where none explains it."""
    return NOTES.get(code, "")


@register.filter
def basis_name(basis: str) -> str:
    """Name a basis: "location-based"."""
    return name_of_basis(basis)
