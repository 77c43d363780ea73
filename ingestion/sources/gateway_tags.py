"""
Tags and metadata that callers put on a model call, as gateways and tracing tools hand them on.

They are written by programs and people in any form, so of metadata only what can name a team, a project or a cost centre is
kept. Tags of the form `key:value` are made to sort calls by: of those a plain identifier is kept under any key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from core.quantification.private import names_a_person, names_private_value
from ingestion.sources.base import Context, limit_labels
from ingestion.sources.vocabulary import attribution_of

COLUMNS: Final = ("team", "project", "environment", "application")

_NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.:/+-]{0,63}$")
_SECRET: Final = re.compile(r"^(?:sk|pk|wl|xox[a-z]|gh[a-z]|eyJ)[-_A-Z]|^[0-9a-fA-F]{32,}$")
"""What may be a key, however short: a tag that is none loses little."""


def pairs_of(tags: Iterable[object]) -> dict[str, str]:
    """
    Read tags of the form `key:value`; others say nothing that a column could take. The first of a key counts.

    >>> pairs_of(["env:prod", "urgent", "env:test", "User-Agent: curl"])
    {'env': 'prod', 'User-Agent': 'curl'}
    """
    found: dict[str, str] = {}
    for tag in tags:
        if isinstance(tag, str):
            key, colon, value = tag.partition(":")
            if colon and key.strip() and value.strip():
                found.setdefault(key.strip(), value.strip())
    return found


def kept(tags: Mapping[Any, object], *, identifiers: bool = False) -> dict[str, str]:
    """
    Keep what may be stored: attribution, and with `identifiers` other keys whose value is a plain identifier.

    Whatever names a person, is a mail address or looks like a secret goes.

    >>> kept({"team": "Team Search", "feature": "rag-v2", "user": "ada", "project": "a@b.org"})
    {'team': 'Team Search'}
    >>> kept({"feature": "rag-v2", "note": "what is my salary", "prompt": "hello"}, identifiers=True)
    {'feature': 'rag-v2'}
    """
    found: dict[str, str] = {}
    for key, value in tags.items():
        if not isinstance(key, str) or len(key) > 64 or names_a_person(key) or isinstance(value, bool):
            continue
        text = str(value).strip() if isinstance(value, str | int) else ""
        if not text or len(text) > 100 or "@" in text or _SECRET.match(text) or names_private_value(text):
            continue
        if attribution_of({key: text}) or (identifiers and _NAME.match(text) and not _CONTENT.search(key)):
            found[key] = text
    return found


_CONTENT: Final = re.compile(r"prompt|message|content|question|answer|input|output|text|query", re.IGNORECASE)


def columns(tags: Mapping[str, str], context: Context) -> dict[str, Any]:
    """
    Give team, project, environment and application of tags (absent: None) and `labels`: cost_center, and the tags that the
    source's setting `labels` names.
    """
    found = attribution_of(tags)
    wanted = context.setting.get("labels")
    labels: dict[str, object] = {key: tags[key] for key in wanted if key in tags} if isinstance(wanted, list) else {}
    if "cost_center" in found:
        labels["cost_center"] = found["cost_center"]
    return {**{name: found.get(name) for name in COLUMNS}, "labels": limit_labels(labels)}
