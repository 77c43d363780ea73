"""
The rule of what is private, as tables need it: what a format adds to it, and a quick look whether a text mentions anything.

The look may find too much (escapes may spell anything) but never too little; what it finds is then cleaned cell by cell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Set
from dataclasses import dataclass
from typing import Final, TypeAlias

from core.quantification.private import (
    KEY_BEGINS,
    KEY_OF_KNOWN_MAKE,
    is_private,
    names_a_person,
    names_private_value,
    scrub_text,
    without_private,
)
from core.quantification.prose import holds_a_word, rule_of
from ingestion.sources.base import digest

Cleaner: TypeAlias = Callable[[str], str | None]
"""Gives what of a text may be kept; None for nothing."""

KEY_BYTES: Final = 200
_ODD: Final = (b"@", b"%40", b"\\u", *(begin.encode() for begin in KEY_BEGINS))
"""Without one of these a text holds no address, no key and no escape; looking for bytes is faster than for patterns."""
_ADDRESS: Final = re.compile(rb"(?:@|%40)(?:[A-Za-z0-9_\x80-\xff-]{1,252}\.){1,8}[A-Za-z\x80-\xff]{2}")
_NO_NAME: Final = frozenset(b" \t\r\n,;\"'")
_SECRET: Final = re.compile(KEY_OF_KNOWN_MAKE.encode())
_LABEL: Final = re.compile(r"^(?:labels?|tags?|attributes?|resource_?tags|x_labels?|x_tags?)[./:_]", re.IGNORECASE)
_AFTER_KEY: Final = re.compile(rb'"\s*:')
_AFTER_APOSTROPHE: Final = re.compile(rb"'\s*:")
_WORD_OR_ODD: Final = (
    rb"""(\\*"{1,2}|')\s*:\s*"""
    rb"""(?:\1((?:(?!\1)[^\\"])*)\1\s*(?=[,}\n]|$)|\[\s*((?:\1(?:(?!\1)[^\\"])*\1\s*(?:,\s*)?)+)\]"""
    rb"""|(?:null|None|[Tt]rue|[Ff]alse|-?[\d.eE+-]+)\s*(?=[,}\n]|$)|\{|\[\s*(?=[\]{])|(.|\n|$))"""
)
"""
After a key: its quotes, then a text or a list of texts in the same quotes and without any inside, or else what has none to
look at (a number, an object, whose keys are looked at by themselves), or else something odd.
"""


def no_private_column(name: str) -> bool:
    """Tell whether a column's name leaves nothing to suspect: the rule where a format does not name what it stores."""
    return not (is_private(name) or names_a_person(_LABEL.sub("", name.strip())))


def _nothing_of_its_own(_: str) -> Cleaner | None:
    return None


@dataclass(frozen=True)
class Rules:
    """
    What a format adds to the rule for every table.

    Args:
        stores: column name -> whether its cells are stored; the names of all columns stay.
        own: column name -> what cleans its texts before the rule for every text does; None for most.
        brief: column name -> whether its cells are held to what such a column holds: a word, an identifier, a name.
        identifiers: columns whose cells are hashed where they hold an address or a key, so that they stay different.
        allowed: fields that only sound private, by their exact names.
    """

    stores: Callable[[str], bool] = no_private_column
    own: Callable[[str], Cleaner | None] = _nothing_of_its_own
    brief: Callable[[str], bool] = holds_a_word
    identifiers: Collection[str] = ()
    allowed: Set[str] = frozenset()

    def cleaner(self, column: str) -> Cleaner:
        """
        Give what cleans the texts of a column.

        >>> Rules().cleaner("Tags")('{"team": "nlp", "user": "ada"}'), Rules().cleaner("user")("ada")
        ('{"team": "nlp"}', None)
        """
        if not self.stores(column):
            return _nothing
        held = rule_of(column) if self.brief(column) else _as_it_is
        if column in self.identifiers:
            return lambda text: _hashed(held(text))
        own = self.own(column) or _as_it_is
        return lambda text: scrub_text(held(kept), self.allowed) if (kept := own(text)) else None

    def is_special(self, column: str) -> bool:
        """Tell whether a column's cells have to be looked at one by one, whatever they mention."""
        return not self.stores(column) or self.own(column) is not None or self.brief(column)


def _as_it_is(text: str) -> str:
    return text


def _nothing(_: str) -> None:
    return None


def _hashed(text: str) -> str:
    return f"h:{digest(text)}" if names_private_value(text) else scrub_text(text)


def mentions_private(text: bytes, allowed: Set[str] = frozenset()) -> bool:
    """
    Tell whether a text may hold a private key of a JSON object or of a list of keys and values, a mail address or a key, or
    prose where a word of a closed list stands.

    >>> mentions_private(b'{"key": "user", "value": 1}'), mentions_private(b'[{"key": "team", "value": "user"}]')
    (True, False)
    """
    if mentions_address(text):
        return True
    found = _keys(text)
    names = {name.decode(errors="replace") for name in found | _entries(text, found)}
    return any(map(is_private, names - allowed)) or _mentions_prose(text, found)


def _mentions_prose(text: bytes, keys: Set[bytes]) -> bool:
    """Tell whether a text under a key that takes a word is none, or is written so that it takes a reader of JSON to tell."""
    for key in keys:
        name = key.decode(errors="replace")
        if holds_a_word(name):
            found = set(re.findall(re.escape(key) + _WORD_OR_ODD, text))
            if any(odd for *_, odd in found):
                return True
            words = {one for quote, alone, listed, _ in found for one in (alone, *listed.split(quote)[1::2])}
            if any(rule_of(name)(one.decode(errors="replace")) != one.decode(errors="replace") for one in words):
                return True
    return False


def mentions_address(text: bytes) -> bool:
    """Tell whether a text may hold a mail address or a key; escapes may spell any of them."""
    if not any(sign in text for sign in _ODD):
        return False
    if b"\\u" in text or _SECRET.search(text) is not None:
        return True
    return any(found.start() and text[found.start() - 1] not in _NO_NAME for found in _ADDRESS.finditer(text))


def _keys(text: bytes) -> set[bytes]:
    """Give what stands in quotes before colons; in CSV the quotes come twice, inside a text with a stroke before them."""
    parts = set(_AFTER_KEY.split(text)[:-1])
    found = {part[-KEY_BYTES:].rstrip(b'"\\').rpartition(b'"')[2] for part in parts}
    if b"'" in text:
        found |= {part[-KEY_BYTES:].rpartition(b"'")[2] for part in _AFTER_APOSTROPHE.split(text)[:-1]}
    return found


def _entries(text: bytes, keys: Set[bytes]) -> set[bytes]:
    """Give the texts under `key` and `name`, however those are spelled: they may name a pair."""
    found: set[bytes] = set()
    for key in keys:
        if key.lower() in (b"key", b"name"):
            found |= set(re.findall(re.escape(key) + rb'[\\"]+\s*:\s*[\\"]+([^"\\]{1,200})', text))
    return found


def without_private_line(line: bytes, allowed: Set[str]) -> bytes:
    """Clean a line of JSON; raise ValueError or RecursionError when it is none."""
    kept = without_private(json.loads(line), allowed=allowed)
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
