"""
What an organization says about its series: whose they are, what their names stand for, and which source counts.

Pure functions on frames; rules are dated, so a series can be understood differently before and after a day.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.quantification.resolve import CLOUD_PROVIDERS

Integers = npt.NDArray[np.int64]

COUNTED: Final = "counted"
CROSS_CHECK: Final = "cross_check"
DEFAULTED: Final = ("team", "project", "environment", "stage", "hosting")
"""Dimensions that a source's settings complete where records leave them empty."""


def _empty(*columns: str) -> pd.DataFrame:
    return pd.DataFrame({column: pd.Series(dtype=object) for column in columns})


@dataclass(frozen=True)
class Rules:
    """
    Everything that decides how series are understood.

    Args:
        source_settings: source id to its settings (the defaults of DEFAULTED among them).
        links: source_id, account (None: every account of the source), unit_id (None: declared independent).
        counting: coverage unit id to the source that counts in it.
        aliases: kind, reported, resolves_to, valid_from, valid_to (days, None: open).
    """

    source_settings: dict[int, dict[str, Any]] = field(default_factory=dict)
    links: pd.DataFrame = field(default_factory=lambda: _empty("source_id", "account", "unit_id"))
    counting: dict[int, int] = field(default_factory=dict)
    aliases: pd.DataFrame = field(
        default_factory=lambda: _empty("kind", "reported", "resolves_to", "valid_from", "valid_to")
    )

    def boundaries(self) -> Integers:
        """Return the days (since 1970) on which some rule begins or ends: between two of them nothing changes."""
        days = {day for column in ("valid_from", "valid_to") for day in self.aliases[column] if day is not None}
        return np.array(sorted(_number(day) for day in days), dtype=np.int64)


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def resolve_names(subjects: pd.DataFrame, aliases: pd.DataFrame) -> pd.DataFrame:
    """
    Replace reported names by what the organization's own aliases say, without regard to case.

    Args:
        subjects: the columns of AliasKind as reported, and ``day`` (any day on which the subject is understood alike).
        aliases: as in `Rules`.
    """
    if aliases.empty:
        return subjects
    resolved = subjects.copy()
    for alias in aliases.itertuples(index=False):
        since = -np.inf if alias.valid_from is None else _number(alias.valid_from)
        until = np.inf if alias.valid_to is None else _number(alias.valid_to)
        meant = subjects[alias.kind].str.casefold() == alias.reported.casefold()
        during = (subjects["day"] >= since) & (subjects["day"] < until)
        resolved.loc[meant & during, alias.kind] = alias.resolves_to
    return resolved


def attribute(subjects: pd.DataFrame, source_settings: dict[int, dict[str, Any]]) -> pd.DataFrame:
    """Complete what records leave empty by the defaults of their source; what nobody knows stays empty."""
    completed = subjects.copy()
    for source_id, settings in source_settings.items():
        own = completed["source_id"] == source_id
        for name in DEFAULTED:
            value = settings.get(name)
            if value:
                completed.loc[own & completed[name].isna(), name] = value
    return completed


def units_of(subjects: pd.DataFrame, links: pd.DataFrame) -> npt.NDArray[np.object_]:
    """
    Find the coverage unit of each subject: its account's link goes before its source's.

    Returns:
        Unit id; None without a link; "independent" where the organization has said so. [n]
    """
    found: dict[tuple[int, str | None], object] = {
        (int(link.source_id), None if pd.isna(link.account) else link.account): (
            "independent" if pd.isna(link.unit_id) else int(link.unit_id)
        )
        for link in links.itertuples(index=False)
    }
    result = np.empty(len(subjects), dtype=object)
    for position, (source_id, account) in enumerate(zip(subjects["source_id"], subjects["account"], strict=True)):
        own = found.get((source_id, account)) if isinstance(account, str) else None
        result[position] = own if own is not None else found.get((source_id, None))
    return result


def roles_of(subjects: pd.DataFrame, rules: Rules) -> npt.NDArray[np.object_]:
    """
    Decide what counts: in a coverage unit its counting source, what other sources say of it is a cross-check.

    Without a link everything counts (and the overlap is warned of elsewhere).
    """
    units = units_of(subjects, rules.links)
    roles = np.full(len(subjects), COUNTED, dtype=object)
    for position, (unit, source_id) in enumerate(zip(units, subjects["source_id"], strict=True)):
        if isinstance(unit, int) and rules.counting.get(unit, source_id) != source_id:
            roles[position] = CROSS_CHECK
    return roles


def provider_of(name: object) -> str | None:
    """Return a cloud by its one name (``amazon-bedrock`` is aws), any other provider as reported."""
    return CLOUD_PROVIDERS.get(name.casefold(), name) if isinstance(name, str) else None
