"""Find the model that a reported name means, and say how.

A wrong guess is worse than none: two names are the same model only where everything that tells models apart (family, size,
version, date) is the same. What vendors and clouds put around a name (gateway, publisher, revision) tells nothing apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeVar

from core.quantification.pack import FactorPack, Row

_DATE: Final = re.compile(r"(?<!\d)(20\d\d)-?([01]\d)-?([0-3]\d)(?!\d)")
_DATE_AT_END: Final = re.compile(r"-(20\d{6}|20\d\d-\d\d-\d\d)$")
_VERTEX_DATE: Final = re.compile(r"(?:-v\d+)?@(20\d{6})$")
_MONTH_DAY: Final = re.compile(r"^(?P<base>.+)[ -](?P<day>[01]\d[0-3]\d)$")
"""A date without its year at the end of a name, as Azure's meters have it: ``gpt-4o-0513``."""
_REVISION: Final = re.compile(r"-v(\d+)(?::\d+)?$")
"""What Amazon Bedrock appends: ``-v1:0``."""

_PUBLISHER: Final = re.compile(
    r"^(?:(?:us|eu|apac|au|jp|ca|global|us-gov)\.)?(?:ai21|amazon|anthropic|cohere|deepseek|google|meta|mistral|openai|qwen)\."
)
"""Inference profile and publisher before a model's name on Amazon Bedrock."""

_FINE_TUNED: Final = (
    re.compile(r"^ft:(?P<base>[^:]+):.*$"),  # OpenAI, Mistral: ft:gpt-4o-mini-2024-07-18:org:name:id
    re.compile(r"^(?P<base>.+)\.ft-[0-9a-f]{8,}(?:-.+)?$"),  # Azure OpenAI: gpt-4o-mini-2024-07-18.ft-0e208cf3...
)

_STAGES: Final = frozenset({"preview", "exp", "experimental"})
"""A release before the release is a model of its own."""

_NOT_THE_MODEL: Final = frozenset({"anthropic", "apac", "cohere", "eu", "global", "google", "meta", "openai", "us"})
"""Words of vendors and inference profiles that clouds put before a model's name."""

K = TypeVar("K")

Spelling = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Found:
    """The row of a model, and how its name was recognised: one of ``HOW``."""

    row: Row
    how: str


HOW: Final = ("name", "alias", "pattern", "fine_tuned", "version", "snapshot", "spelling")
"""
How a model's name is recognised, the surest first: as it stands; by a listed alias; by the model's published pattern; as
fine-tuned from the base model in it; as a version in the way clouds write it, or the only dated one of a name; as a dated
snapshot that is not listed of a model that is; by the same words and numbers written otherwise.
"""


class ModelNames:
    """Look names of models up in one factor pack."""

    def __init__(self, pack: FactorPack) -> None:
        self.pack = pack

    def find(self, name: str, vendor: str | None = None) -> Found | None:
        """
        Find the model of a name.

        Args:
            name: as reported, in lower case, without spaces around it.
            vendor: of the model tables; among equals its own model is preferred.
        """
        base = fine_tuned_base(name)
        if base is not None:
            found = self.find(base, vendor)
            return Found(found.row, "fine_tuned") if found is not None and found.how != "spelling" else None
        return (
            self._by_name(name)
            or self._by_alias(name, vendor)
            or self._by_pattern(name, vendor)
            or self._by_version(name)
            or self._by_month_and_day(name)
            or self._by_spelling(name)
        )

    def _by_name(self, name: str) -> Found | None:
        row = self._rows.get(name)
        return Found(row, "name") if row is not None else None

    def _by_alias(self, name: str, vendor: str | None) -> Found | None:
        meant = [(owner, model) for owner, model in self._aliases.get(name, ()) if not contradicts(name, model)]
        own = [each for each in meant if vendor and each[0] == vendor]
        row = self._rows.get((own or meant)[0][1]) if meant else None
        return Found(row, "alias") if row is not None else None

    def _by_pattern(self, name: str, vendor: str | None) -> Found | None:
        hits = [
            row
            for pattern, row in self._patterns
            if pattern.search(name) and not contradicts(name, row["model_name"].casefold())
        ]
        if not hits:
            return None
        hits.sort(key=lambda row: (row["provider"] != vendor, -len(row["model_name"]), row["model_name"]))
        return Found(hits[0], "pattern")

    def _by_version(self, name: str) -> Found | None:
        """Find the only dated version of a name without date, or the undated model of a snapshot that is not listed."""
        bare = bare_name(name)
        if bare != name and bare in self._rows:
            return Found(self._rows[bare], "version")
        undated = _DATE_AT_END.sub("", bare)
        if undated == bare:
            versions = self._dated.get(bare, ())
            return Found(self._rows[versions[0]], "version") if len(versions) == 1 else None
        row = self._rows.get(undated)
        return Found(row, "snapshot") if row is not None else None

    def _by_month_and_day(self, name: str) -> Found | None:
        """Find the only dated version of a name that ends in this month and day."""
        match = _MONTH_DAY.match(bare_name(name))
        if match is None:
            return None
        base = spelling(match["base"])
        meant = [
            model
            for undated, models in self._dated.items()
            if spelling(undated) == base
            for model in models
            if model.replace("-", "").endswith(match["day"])
        ]
        return Found(self._rows[meant[0]], "version") if len(meant) == 1 else None

    def _by_spelling(self, name: str) -> Found | None:
        meant = {model for model in self._spellings.get(spelling(bare_name(name)), ()) if not contradicts(name, model)}
        return Found(self._rows[next(iter(meant))], "spelling") if len(meant) == 1 else None

    @cached_property
    def _rows(self) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for row in self.pack.rows("models"):
            found.setdefault(row["model_name"].casefold(), row)
        return found

    @cached_property
    def _aliases(self) -> dict[str, tuple[tuple[str, str], ...]]:
        found: dict[str, set[tuple[str, str]]] = {}
        for row in self.pack.rows("model_aliases"):
            found.setdefault(row["alias"].casefold(), set()).add((row["provider"], row["model_name"].casefold()))
        return {alias: tuple(sorted(models)) for alias, models in found.items()}

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], Row]]:
        return [(re.compile(row["match_regex"]), row) for row in self.pack.rows("models") if row["match_regex"]]

    @cached_property
    def _dated(self) -> dict[str, tuple[str, ...]]:
        """Map names without their date to the dated models of that name."""
        return _grouped((_DATE_AT_END.sub("", name), name) for name in self._rows if _DATE_AT_END.search(name))

    @cached_property
    def _spellings(self) -> dict[Spelling, tuple[str, ...]]:
        """Map the words and numbers of names and aliases, without what stands around them, to models."""
        names = [(name, name) for name in self._rows]
        names += [
            (alias, model)
            for alias, models in self._aliases.items()
            for _, model in models
            if not contradicts(alias, model)
        ]
        return _grouped((spelling(bare_name(name)), model) for name, model in names if model in self._rows)


def fine_tuned_base(name: str) -> str | None:
    """
    Return the base model that the name of a fine-tuned one states; None for any other name.

    >>> fine_tuned_base("ft:gpt-4o-mini-2024-07-18:org::id"), fine_tuned_base("gpt-4o-mini")
    ('gpt-4o-mini-2024-07-18', None)
    """
    for pattern in _FINE_TUNED:
        match = pattern.match(name)
        if match is not None:
            return match["base"]
    return None


def contradicts(reported: str, known: str) -> bool:
    """
    Say whether two names cannot be one model: other dates, a preview of a release, or a later revision.

    Listed aliases are made by people, and published patterns let any revision pass; neither goes against the name itself.

    >>> contradicts("vertex_ai/claude-3-5-sonnet@20240620", "claude-3-5-sonnet-20241022")
    True
    >>> contradicts("azure/eu/o1-preview", "o1"), contradicts("command-r-v2:0", "command-r")
    (True, True)
    >>> contradicts("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet-20241022")
    False
    """
    dates, known_dates = set(_DATE.findall(reported)), set(_DATE.findall(known))
    if dates and known_dates and dates != known_dates:
        return True
    words = set(re.findall(r"[a-z]+", bare_name(reported)))
    if (words & _STAGES) - set(re.findall(r"[a-z]+", known)):
        return True
    revision = _REVISION.search(reported)
    return bool(revision and int(revision[1]) > 1 and not known_dates and not known.endswith(revision[0]))


def bare_name(name: str) -> str:
    """
    Return a model's own name, without gateway, publisher, default version and first revision.

    >>> bare_name("openrouter/anthropic/claude-3.5-sonnet"), bare_name("us.anthropic.claude-3-5-haiku-20241022-v1:0")
    ('claude-3.5-sonnet', 'claude-3-5-haiku-20241022')
    >>> bare_name("publishers/anthropic/models/claude-3-5-sonnet-v2@20241022")
    'claude-3-5-sonnet-20241022'
    """
    own = _PUBLISHER.sub("", name.casefold().rsplit("/", 1)[-1]).removesuffix("@default")
    own = _VERTEX_DATE.sub(r"-\1", own)
    revision = _REVISION.search(own)
    first = revision is not None and (revision[1] == "1" or _DATE.search(own) is not None)
    return own[: revision.start()] if revision is not None and first else own


def spelling(name: str) -> Spelling:
    """
    Return the words of a name, sorted, and its numbers in their order: what stays when separators change.

    A single letter belongs to the number that it touches: ``4o`` is not ``o4``.

    >>> spelling("Claude4.6Sonnet") == spelling("claude-sonnet-4-6"), spelling("gpt-4.5") == spelling("gpt-5.4")
    (True, False)
    >>> spelling("GPT 4o mini") == spelling("gpt-4o-mini"), spelling("4o-mini") == spelling("o4-mini")
    (True, False)
    """
    lower = name.casefold()
    words = sorted(word for word in re.findall(r"[a-z]{2,}", lower) if word not in _NOT_THE_MODEL)
    rest = re.sub(r"[a-z]{2,}", " ", lower)
    return tuple(words), tuple(re.findall(r"[a-z]?\d+[a-z]?|[a-z]", rest))


def _grouped(pairs: Iterable[tuple[K, str]]) -> dict[K, tuple[str, ...]]:
    found: dict[K, set[str]] = {}
    for key, value in pairs:
        found.setdefault(key, set()).add(value)
    return {key: tuple(sorted(values)) for key, values in found.items()}
