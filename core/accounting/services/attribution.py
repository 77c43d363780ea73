"""Writes of attribution rules. A change marks only the days of the series that it moves, and says what moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from django.db import connection

from core.accounting.models import AttributionRule
from core.accounting.selectors.attribution import (
    rules_in_order,
    source_settings,
    sources_by_title,
    subjects_of,
    used,
)
from core.accounting.services.marks import mark_days, raise_revision
from core.locks import RULES_LOCK
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from core.quantification.attribute import day_number
from core.quantification.attribution_effect import Effect, attributed, differing, effect_of, periods
from core.quantification.attribution_rules import (
    SOURCE,
    Condition,
    Rule,
    RuleError,
    boundaries,
    check_rule,
    conditions_as_plain,
)
from core.quantification.attribution_text import MOST_RULES, as_plain


@dataclass
class RuleChange:
    """
    What was done.

    Args:
        effect: what moved, over all days that have figures.
        days: how many were marked to be derived again.
        asked: ids of the rules that it is about; written: how many of them are new.
        before, after: of the audit log.
    """

    rule: AttributionRule | None = None
    effect: Effect | None = None
    days: int = 0
    asked: list[int] = field(default_factory=list)
    written: int = 0
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


def named_sources(organization_id: int, rule: Rule) -> Rule:
    """
    Put ids in the place of the names of sources, inside the organization's scope.

    Raises:
        RuleError: there is no such source, or several.
    """
    if not any(condition.field == SOURCE for condition in rule.conditions):
        return rule
    known = sources_by_title(organization_id)

    def found(name: str) -> str:
        if name not in known:
            raise RuleError("conditions", f"{name!r} is no source; there are {', '.join(sorted(known)) or 'none'}.")
        return str(known[name])

    return replace(
        rule,
        conditions=tuple(
            replace(each, values=tuple(map(found, each.values))) if each.field == SOURCE else each
            for each in rule.conditions
        ),
    )


def add_rule(*, organization_id: int, rule: Rule, reason: str = "", position: int | None = None) -> RuleChange:
    """
    Add a rule.

    Args:
        rule: its sources by their names.
        position: in the list, from 1; None: at its end.

    Raises:
        RuleError: it cannot be.
    """
    with _changed(organization_id, "add_attribution_rule", reason) as change:
        rule = _checked(organization_id, rule)
        rows = _rows(organization_id)
        _refuse_more(len(rows) + 1)
        at = len(rows) if position is None else max(0, min(position - 1, len(rows)))
        row = _created(organization_id, rule, reason, len(rows) + 1)
        rows.insert(at, row)
        _put_in_order(rows)
        change.rule, change.asked, change.after = row, [row.id], _described(row)
    return change


def change_rule(*, organization_id: int, rule_id: int, rule: Rule, reason: str = "") -> RuleChange:
    """Replace what a rule says; it keeps its place. Raises RuleError."""
    with _changed(organization_id, "change_attribution_rule", reason) as change:
        row = _found(organization_id, rule_id)
        change.before = _described(row)
        _write(row, _checked(organization_id, rule), reason or row.reason)
        row.save()
        change.rule, change.asked, change.after = row, [row.id], _described(row)
    return change


def move_rule(*, organization_id: int, rule_id: int, places: int) -> RuleChange:
    """Move a rule down the list by some places, or up by a negative number; at the end it stays."""
    with _changed(organization_id, "move_attribution_rule") as change:
        row = _found(organization_id, rule_id)
        change.before = _described(row)
        rows = _rows(organization_id)
        was = [each.id for each in rows].index(row.id)
        rows.insert(max(0, was + places), rows.pop(was))
        _put_in_order(rows)
        row.refresh_from_db()
        change.rule, change.asked, change.after = row, [row.id], _described(row)
    return change


def end_rule(*, organization_id: int, rule_id: int, valid_to: date) -> RuleChange:
    """Let a rule hold only until a day (the first on which it does not). Raises RuleError."""
    with _changed(organization_id, "end_attribution_rule") as change:
        row = _found(organization_id, rule_id)
        change.before = _described(row)
        if row.valid_from is not None and valid_to <= row.valid_from:
            raise RuleError("valid_to", "A rule must end after it starts: remove one that never held.")
        row.valid_to = valid_to
        row.save()
        change.rule, change.asked, change.after = row, [row.id], _described(row)
    return change


def remove_rule(*, organization_id: int, rule_id: int, reason: str) -> RuleChange:
    """Take a rule back that was wrong; the audit log keeps it with the reason. Raises RuleError."""
    if not reason.strip():
        raise RuleError("reason", "Say why the rule is taken back.")
    with _changed(organization_id, "remove_attribution_rule", reason) as change:
        row = _found(organization_id, rule_id)
        change.before = _described(row)
        row.delete()
        _put_in_order(_rows(organization_id))
        row.id = rule_id
        change.rule, change.asked = row, [rule_id]
    return change


def import_rules(*, organization_id: int, given: Sequence[tuple[Rule, str]], replace_all: bool = False) -> RuleChange:
    """
    Take in a file of rules, all or none. Rules that are there already, word for word, are not added again.

    Args:
        given: rules with their reasons, sources by their names.
        replace_all: afterwards the list is that of the file, in its order; else new ones are added at its end.

    Raises:
        RuleError: one of them cannot be; the message says which.
    """
    with _changed(organization_id, "import_attribution_rules") as change:
        rows = _rows(organization_id)
        known = {_content(row): row for row in rows}
        wanted: list[AttributionRule] = []
        for number, (rule, reason) in enumerate(given, 1):
            try:
                checked = _checked(organization_id, rule)
            except RuleError as error:
                raise RuleError(error.field, f"Row {number}: {error}") from error
            row = known.get(_key(checked))
            if row is None:
                row = _created(organization_id, checked, reason, len(rows) + number)
                known[_key(checked)] = row
                change.asked.append(row.id)
            if row not in wanted:
                wanted.append(row)
        gone = [row for row in rows if row not in wanted] if replace_all else []
        AttributionRule.objects.filter(organization_id=organization_id, id__in=[row.id for row in gone]).delete()
        ordered = wanted if replace_all else [*rows, *(row for row in wanted if row not in rows)]
        _refuse_more(len(ordered))
        _put_in_order(ordered)
        change.written = len(change.asked)
        change.before = {"removed": [_described(row) for row in gone]} if gone else None
        added = [_described(row) for row in wanted if row.id in change.asked]
        change.after = {"rules": len(ordered), "added": added}
    return change


@contextmanager
def _changed(organization_id: int, action: str, reason: str = "") -> Iterator[RuleChange]:
    """
    Open the organization's list for one change; afterwards mark what it moves, and write it to the audit log.

    The lock is held from before the series are read: a derive that reads the former rules has begun by then, and knows no
    series that is not among them. All in one transaction.
    """
    change = RuleChange()
    with organization_scope(organization_id):
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s, %s)", [RULES_LOCK, organization_id])
        before = rules_in_order(organization_id)
        yield change
        after = rules_in_order(organization_id)
        _take_effect(organization_id, change, before, after)
        moved = change.effect.moved.as_dict() if change.effect else {}
        record_event(
            organization_id=organization_id,
            action=action,
            object_type="attribution_rule",
            object_id=change.rule.id if change.rule else "",
            before=change.before,
            after={**(change.after or {}), "moved": moved},
            reason=reason.strip(),
        )


def _take_effect(organization_id: int, change: RuleChange, before: Sequence[Rule], after: Sequence[Rule]) -> None:
    """Mark the days of what moves, and work out what that is."""
    cuts = boundaries([*before, *after])
    settings = source_settings(organization_id)
    moved = _moved(organization_id, cuts, before, after, settings)
    if moved:
        parts = ["(r.series_id = any(%s) and d.day >= %s and d.day < %s)"] * len(moved)
        values = [value for ids, since, until in moved for value in (ids, since or date.min, until or date.max)]
        change.days = mark_days(organization_id, f"({' or '.join(parts)})", values)
    else:
        raise_revision(organization_id)
    subjects, sums = used(organization_id, cuts)
    asked = [rule for rule in (*after, *before) if rule.id in change.asked]
    change.effect = effect_of(subjects, sums, before, after, settings, asked)
    AttributionRule.objects.filter(organization_id=organization_id, id__in=change.asked).update(
        effect=change.effect.as_dict()
    )


def _moved(
    organization_id: int,
    cuts: Sequence[date],
    before: Sequence[Rule],
    after: Sequence[Rule],
    settings: Mapping[int, Mapping[str, Any]],
) -> list[tuple[list[int], date | None, date | None]]:
    """Find the series whose attribution differs, span by span: all there are, as some may have no figures yet."""
    with connection.cursor() as cursor:
        cursor.execute("select id from ledger_series where organization_id = %s order by id", [organization_id])
        ids = pd.Series([number for (number,) in cursor.fetchall()], dtype="int64")
    if ids.empty:
        return []
    every = subjects_of(organization_id, ids, pd.Series(np.zeros(len(ids), dtype=np.int64)), cuts)
    found = []
    for at, (since, until) in enumerate(periods(cuts)):
        subjects = every if at == 0 else every.assign(day=day_number(cuts[at - 1]))
        old, new = (attributed(subjects, rules, settings) for rules in (before, after))
        chosen = differing(old, new)
        if chosen.any():
            found.append((subjects["series_id"][chosen].tolist(), since, until))
    return found


def _checked(organization_id: int, rule: Rule) -> Rule:
    check_rule(rule)
    return named_sources(organization_id, rule)


def _refuse_more(number: int) -> None:
    if number > MOST_RULES:
        raise RuleError("conditions", f"An organization has at most {MOST_RULES:,} rules.")


def _rows(organization_id: int) -> list[AttributionRule]:
    return list(AttributionRule.objects.filter(organization_id=organization_id).order_by("position"))


def _found(organization_id: int, rule_id: int) -> AttributionRule:
    row = AttributionRule.objects.filter(organization_id=organization_id, id=rule_id).first()
    if row is None:
        raise RuleError("id", "There is no rule of that id.")
    return row


def _created(organization_id: int, rule: Rule, reason: str, position: int) -> AttributionRule:
    row = AttributionRule(organization_id=organization_id, position=position)
    _write(row, rule, reason)
    row.save()
    return row


def _write(row: AttributionRule, rule: Rule, reason: str) -> None:
    row.name, row.reason = rule.name.strip(), reason.strip()
    row.conditions, row.sets = conditions_as_plain(rule.conditions), dict(rule.sets)
    row.overwrite, row.valid_from, row.valid_to = rule.overwrite, rule.valid_from, rule.valid_to


def _put_in_order(rows: Sequence[AttributionRule]) -> None:
    for position, row in enumerate(rows, 1):
        if row.position != position:
            row.position = position
            row.save(update_fields=["position"])


def _key(rule: Rule) -> tuple[Any, ...]:
    return (
        rule.name,
        rule.conditions,
        tuple(sorted(rule.sets.items())),
        rule.overwrite,
        rule.valid_from,
        rule.valid_to,
    )


def _content(row: AttributionRule) -> tuple[Any, ...]:
    return _key(_rule_of(row))


def _rule_of(row: AttributionRule) -> Rule:
    return Rule(
        conditions=tuple(Condition(each["field"], each["operator"], tuple(each["values"])) for each in row.conditions),
        sets=row.sets,
        overwrite=row.overwrite,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        id=row.id,
        name=row.name,
    )


def _described(row: AttributionRule) -> dict[str, Any]:
    return {**as_plain(_rule_of(row)), "position": row.position}
