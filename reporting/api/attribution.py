"""GET and POST /api/v1/attribution-rules: the rules in their order, and a new one, or what it would move."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.accounting.moved import shown
from core.accounting.selectors.attribution import (
    days_before,
    preview,
    rules_in_order,
    unattributed,
    with_titles,
)
from core.accounting.selectors.conditions import folded_teams_of, source_names
from core.accounting.services import add_rule, named_sources
from core.accounting.tasks import wake_after_commit
from core.organizations.policy import Action
from core.organizations.tenancy import organization_scope
from core.problems import Problem
from core.quantification import units
from core.quantification.attribution_rules import Rule, RuleError, check_rule, from_plain
from core.quantification.attribution_text import as_plain, parse_condition, write_condition

DAYS: Final = 30
MOST_DAYS: Final = 400
FIELDS: Final = (
    *("name", "conditions", "sets", "overwrite", "first_day", "last_day"),
    *("reason", "place", "preview", "days"),
)
KINDS: Final = {"name": str, "reason": str, "overwrite": bool, "preview": bool, "place": int, "days": int}


class AttributionRulesView(APIView):
    """Rules that say whose uses are that name nobody."""

    @property
    def action_needed(self) -> Action:
        """Reading is for whoever sees sources, writing for those who manage them."""
        return Action.MANAGE_SOURCES if self.request.method == "POST" else Action.SEE_SOURCES

    @extend_schema(
        operation_id="attribution_rules",
        parameters=[
            OpenApiParameter("days", int, description=f"recent days of what has no team; default {DAYS}"),
        ],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        """List the rules in their order, and what has no team, the biggest contributors first."""
        identity: Any = request.user
        unknown = sorted(set(request.query_params) - {"days", "org", "format"})
        if unknown:
            raise Problem(400, "bad-parameter", f"There is no parameter {unknown[0]!r} here.", field=unknown[0])
        text = request.query_params.get("days", str(DAYS))
        days = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
        with organization_scope(identity.organization_id):
            titles = source_names(identity.organization_id)
            rules = [as_plain(with_titles(rule, titles)) for rule in rules_in_order(identity.organization_id)]
        found = unattributed(identity.organization_id, *_recent(days))
        contributors = [
            {
                "conditions": [write_condition(condition) for condition in each.conditions],
                "records": each.records,
                "kg_co2e": None if each.nkg is None else each.nkg / units.PER_KG,
                "share": each.share,
            }
            for each in found.contributors
        ]
        nobody = {
            "from": found.from_day.isoformat(),
            "to": found.to_day.isoformat(),
            "records": found.records,
            "kg_co2e": found.nkg / units.PER_KG,
            "share": found.share,
            "contributors": contributors,
            "more": found.more,
        }
        return Response({"rules": rules, "unattributed": nobody})

    @extend_schema(
        operation_id="add_attribution_rule",
        request={"application/json": OpenApiTypes.OBJECT},
        responses={200: OpenApiTypes.OBJECT, 201: OpenApiTypes.OBJECT},
    )
    def post(self, request: Request) -> Response:
        """Add a rule: 201 with it and what moved; with ``preview`` 200 with what it would move, and nothing is changed."""
        identity: Any = request.user
        given = _checked_fields(request.data)
        organization_id = identity.organization_id
        try:
            rule = rule_of(given)
            if given.get("preview"):
                return Response({"effect": _previewed(organization_id, rule, given)})
            change = add_rule(
                organization_id=organization_id,
                rule=rule,
                reason=given.get("reason", ""),
                position=given.get("place"),
            )
        except RuleError as error:
            field = {"valid_from": "first_day", "valid_to": "last_day"}.get(error.field, error.field)
            raise Problem(400, "impossible-rule", str(error), field=field) from error
        wake_after_commit(organization_id)
        made = change.rule
        with organization_scope(organization_id):
            folded = folded_teams_of(organization_id)
        return Response(
            {
                "rule": {**as_plain(rule), "id": made.id if made else None},
                "days_to_derive": change.days,
                "effect": shown(change.effect.as_dict(), folded) if change.effect else None,
            },
            status=201,
        )


def _checked_fields(body: object) -> Mapping[str, Any]:
    """Refuse what is no object, fields that there are not, and values of the wrong kind. Raises Problem 400."""
    if not isinstance(body, Mapping) or not body:
        raise Problem(400, "bad-body", "Send a rule as a JSON object.", what_to_do=f"Its fields: {', '.join(FIELDS)}.")
    for name, value in body.items():
        if name not in FIELDS:
            raise Problem(400, "bad-field", f"There is no field {name!r}: use {', '.join(FIELDS)}.", field=name)
        kind = KINDS.get(name)
        if kind is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise Problem(400, "bad-field", f"{name} is a {kind.__name__}.", field=name)
    return body


def rule_of(given: Mapping[str, Any]) -> Rule:
    """Read a rule as the API takes it: conditions as lines or as objects, the last day included. Raises RuleError."""
    conditions = given.get("conditions", ())
    if isinstance(conditions, list) and all(isinstance(each, str) for each in conditions):
        parsed = [parse_condition(line) for line in conditions]
        plain: Any = [{"field": one.field, "operator": one.operator, "values": list(one.values)} for one in parsed]
    else:
        plain = conditions
    last = _day(given, "last_day")
    rule = from_plain(
        {
            "conditions": plain,
            "sets": given.get("sets", {}),
            "overwrite": given.get("overwrite", False),
            "valid_from": _day(given, "first_day"),
            "valid_to": None if last is None else last + timedelta(days=1),
            "name": given.get("name", ""),
        }
    )
    check_rule(rule)
    return rule


def _day(given: Mapping[str, Any], name: str) -> date | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        raise RuleError(name, f"{text!r} is no day like 2026-07-01.") from None


def _previewed(organization_id: int, rule: Rule, given: Mapping[str, Any]) -> dict[str, Any]:
    with organization_scope(organization_id):
        rules = list(rules_in_order(organization_id))
        named = named_sources(organization_id, rule)
        folded = folded_teams_of(organization_id)
    place = given.get("place")
    rules.insert(len(rules) if place is None else max(0, place - 1), named)
    from_day, to_day = _recent(given.get("days", DAYS))
    found = preview(organization_id, rules, asked=[named], from_day=from_day, to_day=to_day)
    return {"from": from_day.isoformat(), "to": to_day.isoformat(), **shown(found.effect.as_dict(), folded)}


def _recent(days: int) -> tuple[date, date]:
    if not 1 <= days <= MOST_DAYS:
        raise Problem(400, "bad-parameter", f"days is a number from 1 to {MOST_DAYS}.", field="days")
    return days_before(datetime.now(UTC).date(), days)
