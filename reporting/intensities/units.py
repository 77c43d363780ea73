"""
What emissions are divided by: functional units, and the series of business figures behind some of them.

Two scores are never merged (SCI for AI, methodology 6.2): the consumer's is about operation, the provider's about making.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

CONSUMER: Final = "consumer"
PROVIDER: Final = "provider"
SCORES: Final = {
    CONSUMER: ("inference",),
    PROVIDER: ("data_preparation", "experimentation", "training", "fine_tuning", "evaluation"),
}
"""Score to the stages it holds."""

RUN_STAGES: Final = ("training", "fine_tuning")
"""Stages whose runs are training runs; the other work of making a model has no run of its own to be divided by."""

DAY, MONTH, QUARTER = "day", "month", "quarter"
LENGTHS: Final = (DAY, MONTH, QUARTER)
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
CURRENCY: Final = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True)
class Series:
    """A kind of business figure: its name, what one of it is, and the lengths of time that a figure may be about."""

    name: str
    unit_text: str
    lengths: tuple[str, ...] = LENGTHS
    why_lengths: str = ""


REVENUE: Final = "revenue"
STANDARD: Final = {
    series.name: series
    for series in (
        Series("accepted_tasks", "accepted task"),
        Series(
            "active_users",
            "active user-month",
            (MONTH,),
            "who was active in a month cannot be had from days or quarters",
        ),
        Series("headcount", "person-month", (MONTH,), "a head count is the mean of a month; months add up"),
        Series(REVENUE, "currency unit"),
    )
}
"""Series that every organization has a name for; any other name is a unit of its own."""


@dataclass(frozen=True)
class FunctionalUnit:
    """
    R of an SCI.

    Args:
        name: in addresses and files.
        text: what one unit is, for people: "1,000 output tokens".
        counted: what is counted, in the plural: "output tokens".
        per: how many of what is counted make one unit.
        scores: the scores that can be told per this unit.
        plus, less: measures of records that are added, and taken away; empty where R does not come from records.
        series, currency: the business figures that R is the sum of, where it is one.
    """

    name: str
    text: str
    counted: str
    per: int = 1
    scores: tuple[str, ...] = (CONSUMER,)
    plus: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    series: str = ""
    currency: str = ""

    @property
    def given_by(self) -> str:
        """Say where R comes from: ``records``, ``runs`` or ``figures``."""
        return "figures" if self.series else "records" if self.plus else "runs"


BOTH: Final = (CONSUMER, PROVIDER)
REQUEST: Final = FunctionalUnit(
    "request", "successful request", "requests", plus=("requests",), less=("failed_requests",)
)
TRAINING_RUN: Final = FunctionalUnit("training_run", "training run", "training runs", scores=(PROVIDER,))
BUILT_IN: Final = {
    unit.name: unit
    for unit in (
        REQUEST,
        FunctionalUnit("1000_output_tokens", "1,000 output tokens", "output tokens", 1000, plus=("output_tokens",)),
        FunctionalUnit(
            "1000_tokens", "1,000 tokens", "input and output tokens", 1000, plus=("input_tokens", "output_tokens")
        ),
        TRAINING_RUN,
        FunctionalUnit("accepted_task", "accepted task", "accepted tasks", scores=BOTH, series="accepted_tasks"),
        FunctionalUnit("active_user_month", "active user-month", "active users", scores=BOTH, series="active_users"),
        FunctionalUnit("person_month", "person-month", "head counts", scores=BOTH, series="headcount"),
    )
}
_MONEY: Final = re.compile(r"1000_([A-Z]{3})")


class UnknownUnit(ValueError):
    """There is no functional unit of this name; the message says which there are."""


def functional_unit(name: str, own: Iterable[tuple[str, str]] = ()) -> FunctionalUnit:
    """
    Find a functional unit by its name.

    Args:
        own: name and unit text of the organization's own series.

    Raises:
        UnknownUnit: none has this name.

    >>> functional_unit("1000_EUR").text, functional_unit("claims", [("claims", "claim handled")]).text
    ('1,000 EUR of revenue', 'claim handled')
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    money = _MONEY.fullmatch(name)
    if money:
        return revenue_unit(money[1])
    texts = dict(own)
    if name in texts:
        return FunctionalUnit(name, texts[name], name.replace("_", " "), scores=BOTH, series=name)
    there = ", ".join([*BUILT_IN, "1000_EUR (or another currency)", *texts])
    raise UnknownUnit(f"There is no functional unit {name!r}: use {there}.")


def revenue_unit(currency: str) -> FunctionalUnit:
    """Return 1,000 currency units of revenue."""
    return FunctionalUnit(
        f"1000_{currency}",
        f"1,000 {currency} of revenue",
        f"{currency} of revenue",
        1000,
        scores=BOTH,
        series=REVENUE,
        currency=currency,
    )
