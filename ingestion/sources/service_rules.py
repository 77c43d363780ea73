"""
An organization's own rules for its bills: the source setting `service_rules`, asked before the shipped `ai_services.csv`.

The setting is a list of objects with the columns of that table (`rule` and `class`, the others as needed), in the order of
matching. Patterns are of the RE2 dialect, which has no look-around and takes no more time than the text is long, so
that no pattern can stop a worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute

from core.quantification.activity import HOSTINGS, STAGES
from ingestion.sources import ai_services
from ingestion.sources.ai_services import Rule
from ingestion.sources.base import SettingError
from ingestion.sources.own_units import own_units

pc: Any = pyarrow.compute  # the stubs know only some of its overloads

SETTING: Final = "service_rules"
COLUMNS: Final = (
    *("rule", "provider", "service", "meter", "instance", "class", "measure", "stage", "hosting", "flag", "reason"),
)
PATTERNS: Final = ("provider", "service", "meter", "instance")
FLAGS: Final = ("", "unknown_meter")
MOST_RULES: Final = 200
LONGEST_TEXT: Final = 500


@dataclass(frozen=True)
class Rulebook:
    """
    The rules of a source, its own first.

    Args:
        own: in the order of matching.
        units: own names of units, see `own_units`.
    """

    own: tuple[Rule, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def of(cls, setting: Mapping[str, object]) -> Rulebook:
        """Read the source's setting; raise SettingError naming the rule and the column at fault."""
        return cls(own_rules(setting.get(SETTING)), own_units(setting))

    def classify(self, *, provider: str, service: str, meter: str, instance: str) -> Rule:
        """Give the first rule that matches a bill row; arguments as in `ai_services.classify`."""
        texts = (provider, service, meter, instance)
        for rule in self.own:
            if all(_matches(pattern, text) for pattern, text in zip(_patterns(rule), texts, strict=True)):
                return rule
        return ai_services.classify(provider=provider, service=service, meter=meter, instance=instance)


SHIPPED: Final = Rulebook()


def own_rules(value: object) -> tuple[Rule, ...]:
    """
    Read the setting.

    Args:
        value: list of objects with the columns of `ai_services.csv`; None for none.

    Raises SettingError naming the rule and the column, and what may stand there.

    >>> own_rules([{"rule": "our-gateway", "service": "acme llm", "class": "ai", "measure": "cost", "hosting": "api"}])[0].name
    'our-gateway'
    """
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or len(value) > MOST_RULES:
        raise SettingError(f"the source's setting {SETTING!r} must be a list of at most {MOST_RULES} rules")
    rules = tuple(_rule(number, each) for number, each in enumerate(value, 1))
    names = [rule.name for rule in rules]
    shipped = {rule.name for rule in ai_services.rules()}
    for number, name in enumerate(names, 1):
        if name in names[: number - 1] or name in shipped:
            raise _fault(number, name, "rule", f"{name!r} is the name of another rule")
    return rules


def _rule(number: int, given: object) -> Rule:
    if not isinstance(given, Mapping):
        raise _fault(number, "", "rule", "a rule is an object with the columns of ai_services.csv")
    name = str(given.get("rule") or "")
    unknown = sorted(set(map(str, given)) - set(COLUMNS))
    if unknown:
        raise _fault(number, name, unknown[0], f"there is no such column; there are: {', '.join(COLUMNS)}")
    texts: dict[str, str] = {}
    for column in COLUMNS:
        text = given.get(column) or ""
        if not isinstance(text, str) or len(text) > LONGEST_TEXT:
            raise _fault(number, name, column, f"it must be text of at most {LONGEST_TEXT} characters")
        texts[column] = text.strip() if column not in PATTERNS else text
    if not texts["rule"]:
        raise _fault(number, name, "rule", "it needs a name")
    rule = _completed(Rule(name=texts.pop("rule"), classification=texts.pop("class"), **texts))
    _check(number, rule)
    return rule


def _completed(rule: Rule) -> Rule:
    """Fill what a class leaves no choice about."""
    if rule.classification != "supporting":
        return rule
    texts = {**vars(rule), "measure": rule.measure or "cost", "hosting": rule.hosting or "cloud"}
    return Rule(**texts)


def _check(number: int, rule: Rule) -> None:
    choices: list[tuple[str, str, Sequence[str]]] = [
        ("class", rule.classification, ai_services.CLASSES),
        ("stage", rule.stage, ("", *STAGES)),
        ("flag", rule.flag, FLAGS),
    ]
    if rule.classification == "outside":
        choices += [("measure", rule.measure, ("",))]
    else:
        choices += [("measure", rule.measure, ai_services.MEASURES), ("hosting", rule.hosting, HOSTINGS)]
    for column, text, allowed in choices:
        if text not in allowed:
            listed = ", ".join(each or "(empty)" for each in allowed)
            raise _fault(number, rule.name, column, f"{text!r} is none of {listed}")
    if not any((rule.provider, rule.service, rule.meter, rule.instance)):
        raise _fault(number, rule.name, "service", "a rule without any pattern would match every row")
    for column, pattern in zip(PATTERNS, _patterns(rule), strict=True):
        try:
            _matches(pattern, "")
        except pa.ArrowInvalid as error:
            raise _fault(number, rule.name, column, f"it is no pattern of the RE2 dialect ({error})") from error


def _fault(number: int, name: str, column: str, what: str) -> SettingError:
    named = f" ({name})" if name else ""
    return SettingError(f"the source's setting {SETTING!r}, rule {number}{named}, column {column!r}: {what}")


def _patterns(rule: Rule) -> tuple[str, str, str, str]:
    return (f"^(?:{rule.provider})$" if rule.provider else "", rule.service, rule.meter, rule.instance)


def _matches(pattern: str, text: str) -> bool:
    return not pattern or bool(pc.match_substring_regex(pa.scalar(text), pattern, ignore_case=True).as_py())
