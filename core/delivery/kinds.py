"""
Kinds of messages and their words: who announces something says here how it reads.

A message keeps data, its words are made when it is sent, in the language of the destination.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

Label = str | Promise


@dataclass(frozen=True)
class Said:
    """
    A message in words.

    Args:
        path: of the page that it is about, with its filters; begins with a slash.
    """

    subject: str
    text: str
    path: str


@dataclass(frozen=True)
class Kind:
    """A kind of messages: the stable name that programs know, what people call it, and how its data reads."""

    name: str
    label: Label
    write: Callable[[Mapping[str, Any]], Said]


_KINDS: Final[dict[str, Kind]] = {}


def register(kind: Kind) -> None:
    """Make a kind known, when the process starts."""
    _KINDS[kind.name] = kind


def kinds() -> list[Kind]:
    """List the kinds that destinations can choose from, by name; the test is none of them."""
    return sorted((kind for kind in _KINDS.values() if kind.name != TEST), key=lambda kind: kind.name)


def label_of(name: str) -> Label:
    """Name a kind for people; one that this release does not know by its name."""
    kind = _KINDS.get(name)
    return kind.label if kind else name


def said(name: str, data: Mapping[str, Any]) -> Said:
    """Put a message into words; of a kind that this release does not know, only its name."""
    kind = _KINDS.get(name)
    return kind.write(data) if kind else Said(name, "", "/")


TEST: Final = "delivery.test"


def _test(data: Mapping[str, Any]) -> Said:
    return Said(
        _("Test of “{destination}”").format(destination=data.get("destination", "")),
        _("Messages of {organization} arrive here. Somebody asked for this test; nothing happened.").format(
            organization=data.get("organization", "")
        ),
        "/settings/destinations/",
    )


register(Kind(TEST, gettext_lazy("Test"), _test))
