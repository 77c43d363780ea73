"""
Rules by which an organization says whose a use is: ordered, dated, over what was reported; they never change what was.

Of each dimension the first rule in the list that fits and may set it decides; later ones cannot change it. A rule may set what
was left empty; what was reported only where the rule says that it overwrites. Conditions look at names as they were reported,
never at what other rules made of them, so a rule means the same wherever it stands in the list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from core.quantification.activity import HOSTINGS, SERIES_TEXT, STAGES
from core.quantification.attribute import day_number

TARGETS: Final = ("team", "project", "application", "task", "environment", "stage", "site", "hosting")
"""Dimensions that a rule can set."""

ENUMS: Final = {"stage": STAGES, "hosting": HOSTINGS}
FACTORS_FOLLOW: Final = ("stage", "site", "hosting")
"""Targets that factors depend on: setting them can change kg, not only whose they are."""

SOURCE: Final = "source"
LABEL: Final = "label."
FIELDS: Final = (SOURCE, *SERIES_TEXT)
"""What a condition can look at, besides labels."""

OPERATORS: Final = ("is", "is_not", "starts_with", "contains", "matches", "is_set", "is_empty")
WITHOUT_VALUE: Final = ("is_set", "is_empty")

MOST_CONDITIONS: Final = 20
MOST_VALUES: Final = 200
LONGEST: Final = 200
MOST_REPEATED: Final = 64
"""All counts in a pattern's braces together: with its length they bound the size of the machine that a pattern becomes."""

Booleans = npt.NDArray[np.bool_]


class RuleError(ValueError):
    """
    A rule that cannot be; the message says why.

    Attributes:
        field: what to mend: conditions, sets, valid_from, valid_to, name, reason.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Condition:
    """
    One thing that has to be so.

    Args:
        field: one of ``FIELDS``, or ``label.`` and the label's name. A source is named by its id.
        operator: one of ``OPERATORS``. Names are compared without regard to case; `matches` is a regular expression (RE2) for
            the whole name.
        values: any of them; one for all but ``is`` and ``is_not``, none for ``is_set`` and ``is_empty``.
    """

    field: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """
    What an organization says of the uses that meet every condition.

    Args:
        sets: dimension to name.
        overwrite: also where another name was reported.
        valid_from, valid_to: half-open, days in UTC; None: open.
    """

    conditions: tuple[Condition, ...]
    sets: Mapping[str, str]
    overwrite: bool = False
    valid_from: date | None = None
    valid_to: date | None = None
    id: int = 0
    name: str = field(default="", compare=False)


def by_rules(subjects: pd.DataFrame, rules: Sequence[Rule]) -> pd.DataFrame:
    """
    Attribute by rules.

    Args:
        subjects: ``source_id``, ``SERIES_TEXT`` as reported (null: absent), ``labels`` (dicts) and ``day`` (days since 1970).
        rules: in their order.

    Returns:
        The same, ``TARGETS`` as the rules leave them.
    """
    if not rules or subjects.empty:
        return subjects
    columns = {}
    for target, decider in deciders(subjects, rules).items():
        names = np.array([*(rule.sets.get(target) for rule in rules), None], dtype=object)
        reported = subjects[target].to_numpy(dtype=object)
        columns[target] = pd.Series(np.where(decider < 0, reported, names[decider]), subjects.index, dtype=object)
    return subjects.assign(**columns)


def deciders(subjects: pd.DataFrame, rules: Sequence[Rule]) -> dict[str, npt.NDArray[np.int64]]:
    """Find the rule that decides each dimension of each subject: its position in the list, -1 where none does. [subjects]"""
    targets = [target for target in TARGETS if any(target in rule.sets for rule in rules)]
    empty = {target: subjects[target].isna().to_numpy() for target in targets}
    found = {target: np.full(len(subjects), -1, dtype=np.int64) for target in targets}
    reported = _Reported(subjects)
    for position, rule in enumerate(rules):
        fits = reported.fits(rule)
        for target in rule.sets:
            found[target][fits & (found[target] < 0) & (rule.overwrite | empty[target])] = position
    return found


def fitting(subjects: pd.DataFrame, rules: Sequence[Rule]) -> Booleans:
    """Tell which subjects meet the conditions of each rule while it holds. [rules, subjects]"""
    reported = _Reported(subjects)
    return np.array([reported.fits(rule) for rule in rules], dtype=bool).reshape(len(rules), len(subjects))


def boundaries(rules: Sequence[Rule]) -> list[date]:
    """Return the days on which some rule begins or ends, in order."""
    return sorted({day for rule in rules for day in (rule.valid_from, rule.valid_to) if day is not None})


class _Reported:
    """Columns of subjects, each taken apart into distinct names once: a condition is asked once for each of these."""

    def __init__(self, subjects: pd.DataFrame) -> None:
        self._subjects = subjects
        self._days = subjects["day"].to_numpy(dtype=np.int64)
        self._columns: dict[str, tuple[npt.NDArray[np.int64], list[str]]] = {}
        self._labels: dict[str, npt.NDArray[np.object_]] | None = None
        self._met: dict[Condition, Booleans] = {}

    def fits(self, rule: Rule) -> Booleans:
        fits = np.ones(len(self._subjects), dtype=bool)
        if rule.valid_from is not None:
            fits &= self._days >= day_number(rule.valid_from)
        if rule.valid_to is not None:
            fits &= self._days < day_number(rule.valid_to)
        for condition in rule.conditions:
            fits &= self._meets(condition)
        return fits

    def _meets(self, condition: Condition) -> Booleans:
        found = self._met.get(condition)
        if found is None:
            codes, names = self._taken_apart(condition.field)
            found = self._met[condition] = _met(condition, names)[codes]  # -1, the last: nothing was reported
        return found

    def _taken_apart(self, name: str) -> tuple[npt.NDArray[np.int64], list[str]]:
        if name not in self._columns:
            codes, names = pd.factorize(self._values(name), use_na_sentinel=True)
            self._columns[name] = codes.astype(np.int64), [str(each) for each in names]
        return self._columns[name]

    def _values(self, name: str) -> npt.NDArray[np.object_]:
        if name == SOURCE:
            return self._subjects["source_id"].to_numpy(dtype=object)
        if not name.startswith(LABEL):
            return self._subjects[name].to_numpy(dtype=object)
        key = name.removeprefix(LABEL)
        values = np.empty(len(self._subjects), dtype=object)
        values[:] = [None if not labels else label_text(labels.get(key)) for labels in self._subjects["labels"]]
        return values


def label_text(value: object) -> str | None:
    """
    Write a label's value as conditions see it.

    >>> label_text(True), label_text(3.0), label_text("GPU"), label_text(None)
    ('true', '3', 'GPU', None)
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _met(condition: Condition, names: list[str]) -> Booleans:
    """Tell which distinct names meet a condition, and in the last place whether nothing does. [names + 1]"""
    operator, values = condition.operator, [value.casefold() for value in condition.values]
    met = np.zeros(len(names) + 1, dtype=bool)
    if operator == "is_empty":
        met[-1] = True
    elif operator == "is_set":
        met[:-1] = True
    elif operator == "matches":
        met[:-1] = _matching(condition.values[0], names)
    elif operator in ("is", "is_not"):
        wanted = set(values)
        met[:-1] = [name.casefold() in wanted for name in names]
        met = ~met if operator == "is_not" else met
    elif operator == "starts_with":
        met[:-1] = [name.casefold().startswith(values[0]) for name in names]
    else:
        met[:-1] = [values[0] in name.casefold() for name in names]
    return met


def _matching(pattern: str, names: list[str]) -> Booleans:
    """Match whole names by RE2, which Arrow brings with it: it takes time in proportion to the text, whatever the pattern."""
    answer = pc.match_substring_regex(pa.array(names, pa.string()), _whole(pattern), ignore_case=True)
    return np.asarray(answer.to_numpy(zero_copy_only=False), dtype=bool)


def _whole(pattern: str) -> str:
    return rf"\A(?:{pattern})\z"


def check_pattern(pattern: str) -> None:
    """
    Refuse a regular expression that cannot be, or that could keep derive busy for long.

    RE2 cannot backtrack, but a count in braces is written out: a group with a count, or large counts, make a machine of many
    thousand states. Neither is needed to tell names apart.

    Raises:
        RuleError: saying what is wrong with it.

    >>> check_pattern(r"prod-[0-9]{12}")
    >>> check_pattern(r"(a+)+$)")
    Traceback (most recent call last):
    core.quantification.attribution_rules.RuleError: '(a+)+$)' is no regular expression: unexpected ): (a+)+$)
    """
    if len(pattern) > LONGEST:
        raise RuleError("conditions", f"A regular expression has at most {LONGEST} characters.")
    counts = [int(number) for pair in _COUNT.findall(pattern) for number in pair if number]
    if _COUNTED_GROUP.search(pattern) or sum(counts) > MOST_REPEATED:
        raise RuleError(
            "conditions",
            f"{pattern!r} counts a group, or further than {MOST_REPEATED} in all: write it without, or with + or *.",
        )
    for text in (pattern, _whole(pattern)):  # alone first: `a)|(b` is whole only between parentheses
        try:
            pc.match_substring_regex(pa.array([""], pa.string()), text, ignore_case=True)
        except pa.ArrowInvalid as error:
            said = str(error).removeprefix("Invalid regular expression: ").replace(text, pattern)
            raise RuleError("conditions", f"{pattern!r} is no regular expression: {said}") from error


_COUNT: Final = re.compile(r"\{(\d{1,6})(?:,(\d{0,6}))?\}")
_COUNTED_GROUP: Final = re.compile(r"\)[*+?]*\{\d")


def check_rule(rule: Rule) -> None:
    """
    Refuse a rule that cannot be.

    Raises:
        RuleError: naming what to mend.
    """
    if not rule.conditions:
        raise RuleError("conditions", "A rule needs a condition: without one it would take everything.")
    if len(rule.conditions) > MOST_CONDITIONS:
        raise RuleError("conditions", f"A rule has at most {MOST_CONDITIONS} conditions.")
    for condition in rule.conditions:
        _check_condition(condition)
    if not rule.sets:
        raise RuleError("sets", "Say what the rule sets: a team, a project or another dimension.")
    for target, name in rule.sets.items():
        _check_target(target, name)
    if rule.valid_from is not None and rule.valid_to is not None and rule.valid_to <= rule.valid_from:
        raise RuleError("valid_to", "A rule must end after it starts.")


def _check_condition(condition: Condition) -> None:
    name, operator, values = condition.field, condition.operator, condition.values
    if name not in FIELDS and not (name.startswith(LABEL) and name != LABEL and len(name) <= LONGEST):
        raise RuleError("conditions", f"{name!r} is none of {', '.join(FIELDS)}, or label. and the name of a label.")
    if operator not in OPERATORS:
        raise RuleError("conditions", f"{operator!r} is none of {', '.join(OPERATORS)}.")
    if operator in WITHOUT_VALUE and values:
        raise RuleError("conditions", f"{operator} takes no value.")
    if operator not in WITHOUT_VALUE and not (values and all(values)):
        raise RuleError("conditions", f"{name} {operator} needs a value.")
    if operator not in ("is", "is_not", *WITHOUT_VALUE) and len(values) != 1:
        raise RuleError("conditions", f"{operator} takes one value.")
    if len(values) > MOST_VALUES or any(len(value) > LONGEST for value in values):
        raise RuleError("conditions", f"At most {MOST_VALUES} values of at most {LONGEST} characters.")
    if any(each != each.strip() or not each.isprintable() for each in (name, *values)):
        raise RuleError("conditions", "A field or value has no space at its ends, and no line breaks.")
    if name == SOURCE and operator not in ("is", "is_not"):
        raise RuleError("conditions", "A source is named: use is or is_not.")
    if operator == "matches":
        check_pattern(values[0])


def _check_target(target: str, name: str) -> None:
    if target not in TARGETS:
        raise RuleError("sets", f"{target!r} is none of {', '.join(TARGETS)}.")
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST:
        raise RuleError("sets", f"A {target} has a name of at most {LONGEST} characters.")
    allowed = ENUMS.get(target)
    if allowed is not None and name not in allowed:
        raise RuleError("sets", f"{name!r} is none of {', '.join(allowed)}.")


def from_plain(given: Mapping[str, Any]) -> Rule:
    """
    Read a rule as JSON has it: ``conditions`` (objects of field, operator, values), ``sets``, ``overwrite``, ``valid_from``,
    ``valid_to``, ``id``, ``name``; checks nothing but the shape.

    Raises:
        RuleError: naming what to mend.
    """
    conditions = given.get("conditions") or []
    sets = given.get("sets") or {}
    if not isinstance(conditions, Sequence) or isinstance(conditions, str) or not all(map(_is_condition, conditions)):
        raise RuleError("conditions", 'Conditions are objects: {"field": ..., "operator": ..., "values": [...]}.')
    if not isinstance(sets, Mapping) or not all(isinstance(each, str) for each in sets.values()):
        raise RuleError("sets", 'What a rule sets is an object: {"team": "Search"}.')
    return Rule(
        conditions=tuple(
            Condition(each["field"], each["operator"], tuple(each.get("values", ()))) for each in conditions
        ),
        sets={target: sets[target].strip() for target in sorted(sets)},
        overwrite=bool(given.get("overwrite", False)),
        valid_from=given.get("valid_from"),
        valid_to=given.get("valid_to"),
        id=int(given.get("id", 0)),
        name=str(given.get("name", "")),
    )


def _is_condition(each: object) -> bool:
    if not isinstance(each, Mapping) or not set(each) <= {"field", "operator", "values"}:
        return False
    values = each.get("values", ())
    texts = isinstance(values, list | tuple) and all(isinstance(value, str) for value in values)
    return isinstance(each.get("field"), str) and isinstance(each.get("operator"), str) and texts


def conditions_as_plain(conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    """Write conditions as JSON has them."""
    return [{"field": each.field, "operator": each.operator, "values": list(each.values)} for each in conditions]
