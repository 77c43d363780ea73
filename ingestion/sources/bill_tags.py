"""Tags of bill rows: a JSON object, Azure's form without braces, or text `true` for tags without a value."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from core.quantification.private import is_private
from core.quantification.remembering import remembered
from ingestion.sources.base import limit_labels
from ingestion.sources.vocabulary import attribution_of

COLUMNS: Final = ("team", "project", "environment", "application")


class UnreadableTagsError(ValueError):
    """The text is no object of tags."""


@dataclass(frozen=True)
class Tags:
    """
    The tags of a row.

    Args:
        canonical: all tags as JSON with sorted keys, for the row's key; without private ones.
        attribution: team, project, environment and application where there are tags for them.
        labels: cost_center and the tags that the organization allows, never a private one.
    """

    canonical: str
    attribution: Mapping[str, str]
    labels: Mapping[str, object]


NO_TAGS: Final = Tags("", {}, {})


@remembered(20_000)
def read_tags(text: str, allowed: frozenset[str] = frozenset()) -> Tags:
    """
    Read tags; of two keys that differ in surrounding spaces only, the first counts.

    Args:
        text: as billed.
        allowed: names of further tags to keep as labels, in lower case.

    Raises UnreadableTagsError when it is no JSON object, with or without its braces.

    >>> read_tags('{"env": "prod", "org": "a", " org": "b"}', frozenset({"org"})).labels
    {'org': 'a'}
    >>> read_tags('"team": "a","env": "b"').attribution
    {'team': 'a', 'environment': 'b'}
    """
    tags: dict[str, object] = {}
    for key, value in _pairs(text):
        if not is_private(key):
            tags.setdefault(key.strip(), value.strip() if isinstance(value, str) else value)
    if not tags:
        return NO_TAGS
    found = attribution_of(tags)
    labels: dict[str, object] = {_plain(key): value for key, value in tags.items() if _plain(key) in allowed}
    if "cost_center" in found:
        labels["cost_center"] = found["cost_center"]
    return Tags(
        canonical=json.dumps(tags, sort_keys=True, ensure_ascii=False),
        attribution={name: found[name] for name in COLUMNS if name in found},
        labels=limit_labels(labels),
    )


def _pairs(text: str) -> list[tuple[str, object]]:
    try:
        pairs = json.loads(text if text.startswith("{") else f"{{{text}}}", object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        raise UnreadableTagsError(f"{text[:80]!r} is no JSON object") from error
    if not isinstance(pairs, _Pairs):
        raise UnreadableTagsError(f"{text[:80]!r} is no JSON object")
    return pairs


class _Pairs(list[tuple[str, object]]):
    """A JSON object in the order of its keys, equal keys included."""


@lru_cache(maxsize=4096)
def _plain(key: str) -> str:
    return re.sub(r"^(?:user:|user_|aws:|label_)", "", key.strip().lower())
