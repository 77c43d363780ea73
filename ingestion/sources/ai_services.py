"""
Which rows of a bill are AI: the visible rule table `ai_services.csv`, read from top to bottom, the first match decides.

Columns of the table. `provider` (whole slug), `service` (service name and category), `meter` (SKU meter, description
and unit) and `instance` (instance type; `+gpu` at its end where the bill states a number of GPUs) are regular
expressions, found anywhere and without regard to case; empty matches everything. `class` is

- `ai`: the row becomes a record with the rule's `measure`, `stage` (empty: the source's or token's, else training),
  `hosting` and `flag`;
- `supporting`: network, disks and plain machines beside AI services; counted with their cost, a record only where the
  source's settings ask for it;
- `outside`: everything else, counted with its cost.
"""

from __future__ import annotations

import csv
import re
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pandas as pd

TABLE: Final = Path(__file__).with_suffix(".csv")

CLASSES: Final = ("ai", "supporting", "outside")
TOKEN_MEASURES: Final = ("input_tokens", "cached_input_tokens", "output_tokens")
HOUR_MEASURES: Final = ("instance_hours", "idle_instance_hours", "device_hours")
MEASURES: Final = (*TOKEN_MEASURES, *HOUR_MEASURES, "cost")


@dataclass(frozen=True)
class Rule:
    """One line of the table, its patterns as written there; empty `measure`, `stage`, `hosting` or `flag`: none."""

    name: str
    provider: str
    service: str
    meter: str
    instance: str
    classification: str
    measure: str
    stage: str
    hosting: str
    flag: str
    reason: str


@dataclass(frozen=True)
class _Matcher:
    rule: Rule
    patterns: tuple[re.Pattern[str], ...]

    def matches(self, *texts: str) -> bool:
        return all(pattern.search(text) for pattern, text in zip(self.patterns, texts, strict=True))


@cache
def rules() -> tuple[Rule, ...]:
    """Read the table; raise ValueError naming the rule whose class, measure or pattern is none."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        table = [
            Rule(**{{"rule": "name", "class": "classification"}.get(key, key): value for key, value in line.items()})
            for line in csv.DictReader(file)
        ]
    for rule in table:
        if rule.classification not in CLASSES:
            raise ValueError(f"rule {rule.name}: class {rule.classification!r} is none of {', '.join(CLASSES)}")
        if rule.measure not in MEASURES and not (rule.classification == "outside" and rule.measure == ""):
            raise ValueError(f"rule {rule.name}: measure {rule.measure!r} is none of {', '.join(MEASURES)}")
    return tuple(table)


def rule_table() -> pd.DataFrame:
    """Give the table for reading: one row a rule in the order of matching, columns as in the file."""
    table = pd.DataFrame([asdict(rule) for rule in rules()])
    return table.rename(columns={"name": "rule", "classification": "class"})


def classify(*, provider: str, service: str, meter: str, instance: str) -> Rule:
    """
    Give the first rule that matches a bill row.

    Args:
        provider: slug of who runs the hardware (`aws`, `azure`, `gcp`, `oci`, ...); "" when unknown.
        service: service name and category, joined by ` | `.
        meter: the texts that say what was metered, the unit included, joined by ` | `.
        instance: instance type, with `+gpu` at its end where the bill states a number of GPUs; "" for none.

    >>> classify(provider="aws", service="Amazon Bedrock", meter="USE1-NovaPro-output-tokens", instance="").name
    'bedrock-output'
    """
    for matcher in _matchers():
        if matcher.matches(provider, service, meter, instance):
            return matcher.rule
    raise LookupError("the last rule of ai_services.csv must match everything")


@cache
def _matchers() -> tuple[_Matcher, ...]:
    return tuple(_Matcher(rule, _compile(rule)) for rule in rules())


def _compile(rule: Rule) -> tuple[re.Pattern[str], ...]:
    provider = f"^(?:{rule.provider})$" if rule.provider else ""
    try:
        return tuple(re.compile(text, re.IGNORECASE) for text in (provider, rule.service, rule.meter, rule.instance))
    except re.error as error:
        raise ValueError(f"rule {rule.name}: {error}") from error
