"""Attribution rules and what they move, in the words of their pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.utils.translation import gettext as _now

from core.accounting import services
from core.accounting.moved import name_of, shown
from core.accounting.selectors.attribution import (
    Preview,
    days_before,
    preview,
    rules_in_order,
    try_rules,
    unattributed,
)
from core.accounting.selectors.conditions import folded_teams_of
from core.quantification import units
from core.quantification.attribution_rules import FIELDS, LABEL, TARGETS, Rule
from core.quantification.attribution_text import write_condition
from reporting.pages.attribution_forms import DIMENSION_WORDS, in_words

DAYS: Final = 30
"""Recent days that pages about attribution look at."""


def today() -> date:
    """Return this day, UTC."""
    return datetime.now(UTC).date()


def described(rule: Rule, weight: tuple[int, int] | None, folded: frozenset[str]) -> dict[str, Any]:
    """Write a rule for a page, with the records and kg of which it decided something."""
    hidden = rule.sets.get("team") in folded
    return {
        "id": rule.id,
        "name": rule.name,
        "conditions": [in_words(condition) for condition in rule.conditions],
        "sets": [(DIMENSION_WORDS[target], name) for target, name in _in_order(rule)],
        "overwrite": rule.overwrite,
        "first_day": rule.valid_from,
        "last_day": rule.valid_to - timedelta(days=1) if rule.valid_to else None,
        "records": weight[0] if weight else 0,
        "kg": None if hidden or not weight else weight[1] / units.PER_KG,
    }


def _in_order(rule: Rule) -> list[tuple[str, str]]:
    return [(target, rule.sets[target]) for target in TARGETS if target in rule.sets]


def nobody_of(organization_id: int, from_day: date, to_day: date) -> dict[str, Any]:
    """Write what has no team, its contributors each with the query that starts a rule."""
    found = unattributed(organization_id, from_day, to_day)
    rows = [
        {
            "source": each.source,
            "account": each.account,
            "provider": each.provider,
            "labels": list(each.labels.items()),
            "records": each.records,
            "kg": None if each.nkg is None else each.nkg / units.PER_KG,
            "share": each.share,
            "query": urlencode([("condition", write_condition(condition)) for condition in each.conditions]),
        }
        for each in found.contributors
    ]
    return {
        "kg": found.nkg / units.PER_KG,
        "whole_kg": found.whole_nkg / units.PER_KG,
        "share": found.share,
        "records": found.records,
        "rows": rows,
        "more": found.more,
    }


def previewed_of(organization_id: int, wanted: Rule, *, in_place_of: int | None = None) -> dict[str, Any]:
    """Say what the list with a rule would move in recent days. Raises RuleError."""
    rules = list(rules_in_order(organization_id))
    named = services.named_sources(organization_id, wanted)
    after = [named if each.id == in_place_of else each for each in rules]
    if in_place_of is None:
        after.append(named)
    from_day, to_day = days_before(today(), DAYS)
    found: Preview = preview(organization_id, after, asked=[named], from_day=from_day, to_day=to_day)
    folded = folded_teams_of(organization_id)
    effect = shown(found.effect.as_dict(), folded)
    sample = [_sampled(row, folded, hidden=effect["withheld"]) for row in found.sample]
    return effect_in_words(effect) | {"sample": sample}


def effect_in_words(effect: dict[str, Any]) -> dict[str, Any]:
    """Name the dimensions of an effect."""
    flows = [{**flow, "dimension": DIMENSION_WORDS[flow["dimension"]]} for flow in effect["flows"]]
    return {**effect, "flows": flows}


def _sampled(row: dict[str, Any], folded: frozenset[str], *, hidden: bool) -> dict[str, Any]:
    def named(dimension: str, name: str | None) -> str:
        return name_of(dimension, name, folded, hidden)

    reported = [(name.removeprefix(LABEL), named(name, value)) for name, value in row["reported"].items()]
    changes = [
        (DIMENSION_WORDS[target], named(target, row["before"][target]), named(target, row["after"][target]))
        for target in row["after"]
    ]
    kg = None if hidden else row["nkg"] / units.PER_KG
    return {"reported": reported, "changes": changes, "records": row["records"], "kg": kg}


def tried_use(organization_id: int, text: str, day_text: str, rules: Sequence[Rule]) -> dict[str, Any]:
    """Read the box in which somebody types one use in, and say what the rules make of it."""
    answer: dict[str, Any] = {"text": text, "day": day_text or today().isoformat(), "rows": [], "problem": ""}
    if not text.strip():
        return answer
    reported = {}
    for line in text.splitlines():
        name, sign, value = (part.strip() for part in line.partition("="))
        if not line.strip():
            continue
        if not sign or not (name in FIELDS or name.startswith(LABEL)):
            problem = _now(
                "“%(line)s” is not a field and its value, such as account = prod or label.namespace = search."
            )
            return answer | {"problem": problem % {"line": line.strip()[:80]}}
        reported[name] = value
    try:
        day = date.fromisoformat(day_text) if day_text else today()
    except ValueError:
        return answer | {"problem": _now("Give a day like 2026-07-01.")}
    tried = try_rules(organization_id, reported, day)
    place = {rule.id: number for number, rule in enumerate(rules, 1)}
    answer["rows"] = [
        {
            "dimension": DIMENSION_WORDS[target],
            "name": name,
            "place": place.get(tried.rules[target]),
            "rule_id": tried.rules[target],
            "reported": name is not None and reported.get(target) == name,
        }
        for target, name in tried.names.items()
        if name is not None or target == "team"
    ]
    return answer
