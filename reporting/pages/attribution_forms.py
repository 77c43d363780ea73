"""Forms of attribution rules: conditions a row each, what a rule sets, and since when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from core.quantification.activity import HOSTINGS, STAGES
from core.quantification.attribution_rules import (
    FIELDS,
    LABEL,
    LONGEST,
    OPERATORS,
    TARGETS,
    Condition,
    Rule,
    RuleError,
    check_rule,
)
from core.quantification.attribution_text import condition_of, values_text
from core.suggesting import Suggesting
from reporting.pages.words import said

FIRST_ROWS: Final = 2
MOST_ROWS: Final = 20

OPERATOR_WORDS: Final = {
    "is": _("is"),
    "is_not": _("is not"),
    "starts_with": _("starts with"),
    "contains": _("contains"),
    "matches": _("matches (RE2)"),
    "is_set": _("is there"),
    "is_empty": _("is empty"),
}
DIMENSION_WORDS: Final = {
    "team": _("Team"),
    "project": _("Project"),
    "application": _("Application"),
    "task": _("Task"),
    "environment": _("Environment"),
    "stage": _("Stage"),
    "site": _("Site"),
    "hosting": _("Hosting"),
}
SHOWN_FIRST: Final = ("team", "project", "application")
FIELD_OF: Final = {"valid_from": "first_day", "valid_to": "last_day", "sets": "set_team", "conditions": "value_0"}
"""What a refusal names that the form calls otherwise."""


class RuleForm(forms.Form):
    """
    One rule.

    Args:
        rows: of conditions that are shown.
        labels, sources: names that are suggested for conditions.
        names: those of each dimension.
    """

    name = forms.CharField(label=_("Name"), max_length=200, required=False)
    overwrite = forms.BooleanField(
        label=_("Overwrite what was reported"),
        required=False,
        help_text=_("Else the rule fills in only what records leave empty."),
    )
    first_day = forms.DateField(
        label=_("First day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("UTC; empty: always."),
    )
    last_day = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("Empty: until further notice."),
    )
    reason = forms.CharField(label=_("Reason"), max_length=500, required=False, help_text=_("For the audit log."))

    def __init__(
        self,
        *args: Any,
        rows: int = FIRST_ROWS,
        labels: Sequence[str] = (),
        names: Mapping[str, Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        known = [*FIELDS, *(LABEL + label for label in labels)]
        operators = [(operator, OPERATOR_WORDS[operator]) for operator in OPERATORS]
        self.rows = min(max(rows, FIRST_ROWS), MOST_ROWS)
        for at in range(self.rows):
            number = {"number": at + 1}
            self.fields[f"field_{at}"] = forms.CharField(
                label=_now("Field of condition %(number)s") % number,
                max_length=LONGEST + len(LABEL),
                required=False,
                widget=Suggesting(known),
            )
            self.fields[f"operator_{at}"] = forms.ChoiceField(
                label=_now("Comparison of condition %(number)s") % number, choices=operators, required=False
            )
            self.fields[f"value_{at}"] = forms.CharField(
                label=_now("Value of condition %(number)s") % number, max_length=10_000, required=False
            )
        for target in TARGETS:
            self.fields[f"set_{target}"] = _target_field(target, (names or {}).get(target, ()))

    @property
    def conditions(self) -> list[tuple[forms.BoundField, forms.BoundField, forms.BoundField]]:
        """The fields of each condition."""
        return [(self[f"field_{at}"], self[f"operator_{at}"], self[f"value_{at}"]) for at in range(self.rows)]

    @property
    def targets(self) -> list[forms.BoundField]:
        """What a rule sets most often."""
        return [self[f"set_{target}"] for target in SHOWN_FIRST]

    @property
    def more_targets(self) -> list[forms.BoundField]:
        """What else it can set."""
        return [self[f"set_{target}"] for target in TARGETS if target not in SHOWN_FIRST]

    @property
    def more_given(self) -> bool:
        """Say whether one of the others is filled in or refused, and has to be seen."""
        return any(field.value() or field.errors for field in self.more_targets)

    @property
    def rest(self) -> list[forms.BoundField]:
        """The other fields."""
        return [self[name] for name in ("overwrite", "first_day", "last_day", "name", "reason")]

    def clean(self) -> dict[str, Any]:
        """Put the rule together; what cannot be stands beside its field."""
        data: dict[str, Any] = super().clean() or {}
        if self.errors:
            return data
        conditions = []
        for at in range(self.rows):
            field = data[f"field_{at}"]
            if not field and not data[f"value_{at}"]:
                continue
            try:
                conditions.append(condition_of(field, data[f"operator_{at}"] or "is", data[f"value_{at}"]))
            except RuleError as error:
                self.add_error(f"value_{at}", str(error))
        last = data["last_day"]
        rule = Rule(
            conditions=tuple(conditions),
            sets={target: data[f"set_{target}"] for target in TARGETS if data[f"set_{target}"]},
            overwrite=data["overwrite"],
            valid_from=data["first_day"],
            valid_to=None if last is None else last + timedelta(days=1),
            name=data["name"],
        )
        if not self.errors:
            try:
                check_rule(rule)
            except RuleError as error:
                self.refuse(error)
        data["rule"] = rule
        return data

    def refuse(self, error: RuleError) -> None:
        """Put a refusal beside the field that it is about."""
        name = FIELD_OF.get(error.field, error.field)
        self.add_error(name if name in self.fields else None, str(error))


def _target_field(target: str, names: Sequence[str]) -> forms.Field:
    label = DIMENSION_WORDS[target]
    if target in ("stage", "hosting"):
        allowed = STAGES if target == "stage" else HOSTINGS
        choices = [("", "—"), *((each, said(target, each)) for each in allowed)]
        return forms.ChoiceField(label=label, choices=choices, required=False)
    return forms.CharField(label=label, max_length=LONGEST, required=False, widget=Suggesting(names))


def rows_of(data: Mapping[str, Any]) -> int:
    """Count the rows of conditions that somebody sent, and one more where they asked for it."""
    numbers = [int(name[6:]) for name in data if name.startswith("field_") and name[6:].isdecimal() and len(name) < 9]
    return max(numbers, default=FIRST_ROWS - 1) + 1 + ("more" in data)


def initial_of(rule: Rule) -> dict[str, Any]:
    """Write a rule as the form has it; its sources are named."""
    last = None if rule.valid_to is None else rule.valid_to - timedelta(days=1)
    return {
        "name": rule.name,
        "overwrite": rule.overwrite,
        "first_day": rule.valid_from,
        "last_day": last,
        **{f"set_{target}": name for target, name in rule.sets.items()},
        **initial_conditions(rule.conditions),
    }


def initial_conditions(conditions: Sequence[Condition]) -> dict[str, str]:
    """Write conditions as the form has them."""
    found: dict[str, str] = {}
    for at, condition in enumerate(conditions):
        found |= {
            f"field_{at}": condition.field,
            f"operator_{at}": condition.operator,
            f"value_{at}": values_text(condition),
        }
    return found


def in_words(condition: Condition) -> dict[str, str]:
    """Write a condition for people."""
    label = condition.field.startswith(LABEL)
    return {
        "kind": _now("label") if label else "",
        "field": condition.field.removeprefix(LABEL) if label else condition.field.replace("_", " "),
        "operator": str(OPERATOR_WORDS[condition.operator]),
        "values": (" " + _now("or") + " ").join(condition.values),
    }


class FileForm(forms.Form):
    """A CSV file of rules."""

    file = forms.FileField(label=_("CSV file"), help_text=_("All of its rules are taken in, or none."))
    replace = forms.BooleanField(
        label=_("Replace the list by that of the file"),
        required=False,
        help_text=_("Else new rules are added at its end."),
    )
