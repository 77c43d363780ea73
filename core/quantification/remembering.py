"""Remembering what a text means: the same tags and meters stand in many rows, and a sender can write any others."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Final, TypeVar, cast

LONGEST: Final = 2_000
"""Characters of a text that is remembered: many thousands of longer ones would fill the memory."""

OfText = TypeVar("OfText", bound=Callable[..., Any])


def remembered(most: int) -> Callable[[OfText], OfText]:
    """
    Remember what a function of a text gave for so many of the latest texts; for long ones it is asked again each time.

    >>> remembered(2)(str.upper)("nlp")
    'NLP'
    """

    def decorated(function: OfText) -> OfText:
        known = lru_cache(maxsize=most)(function)

        @wraps(function)
        def ask(text: str, *more: Any) -> Any:
            return (known if len(text) <= LONGEST else function)(text, *more)

        return cast(OfText, ask)

    return decorated
