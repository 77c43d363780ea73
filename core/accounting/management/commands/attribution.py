"""manage.py attribution list | add | preview | remove | move | end | import | export | unattributed --organization SLUG"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from core.accounting import services
from core.accounting.asking import add_organization_argument, organization_of
from core.accounting.models import AttributionRule
from core.accounting.moved import shown
from core.accounting.output import as_table
from core.accounting.selectors.attribution import (
    days_before,
    preview,
    rules_in_order,
    unattributed,
    with_titles,
)
from core.accounting.selectors.conditions import folded_teams_of, source_names
from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope
from core.quantification import units
from core.quantification.attribution_rules import TARGETS, Rule, RuleError, check_rule
from core.quantification.attribution_text import (
    FaultyFile,
    as_plain,
    parse_condition,
    read_file,
    write_condition,
    write_file,
)

DAYS: Final = 30
LISTED: Final = ("place", "id", "name", "conditions", "sets", "overwrite", "from", "to")
FLOWS: Final = ("dimension", "from", "to", "series", "records", "kg_co2e")
CONTRIBUTORS: Final = ("kg_co2e", "share", "records", "conditions")


class Command(BaseCommand):
    help = (
        "Say whose uses are that name nobody: ordered rules over what was reported. The first rule that fits decides a dimension;"
        " what was reported stays unless a rule overwrites. Figures follow within a minute."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        each = actions.add_parser("list", help="the rules in their order")
        add_organization_argument(each)
        each.add_argument("--format", choices=["table", "json"], default="table")
        for name, said in (("add", "add a rule"), ("preview", "say what a rule would move, and change nothing")):
            each = actions.add_parser(name, help=said)
            _add_rule_arguments(each)
            each.add_argument("--format", choices=["table", "json"], default="table")
            if name == "preview":
                each.add_argument("--days", type=int, default=DAYS, help="recent days that are looked at")
        each = actions.add_parser("move", help="move a rule to a place in the list")
        _add_id(each)
        each.add_argument("place", type=int)
        each = actions.add_parser("end", help="let a rule hold only until a day")
        _add_id(each)
        each.add_argument(
            "--to", type=date.fromisoformat, dest="to_day", metavar="DATE", required=True, help="last day"
        )
        each = actions.add_parser("remove", help="take a rule back that was wrong")
        _add_id(each)
        each.add_argument("--reason", required=True, help="for the audit log")
        each = actions.add_parser("export", help="print the rules as CSV")
        add_organization_argument(each)
        each = actions.add_parser("import", help="take in rules of a CSV file, all or none")
        add_organization_argument(each)
        each.add_argument("file", type=Path)
        each.add_argument("--replace", action="store_true", help="the list becomes that of the file")
        each = actions.add_parser("unattributed", help="what has no team, the biggest contributors first")
        add_organization_argument(each)
        each.add_argument("--days", type=int, default=DAYS, help="recent days that are looked at")
        each.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_of(options)
        try:
            getattr(self, f"do_{options['action']}")(organization, options)
        except FaultyFile as error:
            lines = [f"row {fault.row}, {fault.field or 'row'}: {fault.reason}" for fault in error.faults]
            raise CommandError("\n".join([str(error), *lines])) from error
        except RuleError as error:
            raise CommandError(f"{error.field}: {error}") from error

    def do_list(self, organization: Organization, options: dict[str, Any]) -> None:
        rows = [as_plain(rule) for rule in _rules(organization)]
        if options["format"] == "json":
            self.stdout.write(json.dumps(rows, indent=2))
        elif rows:
            self.stdout.write(as_table(LISTED, [_line(place, row) for place, row in enumerate(rows, 1)]))
        else:
            self.stdout.write("There are no attribution rules.")

    def do_add(self, organization: Organization, options: dict[str, Any]) -> None:
        change = services.add_rule(
            organization_id=organization.id,
            rule=_rule(options),
            reason=options["reason"],
            position=options["place"],
        )
        self._told(f"Rule {_id_of(change)} is added.", organization, change, options["format"])

    def do_preview(self, organization: Organization, options: dict[str, Any]) -> None:
        rule = _rule(options)
        check_rule(rule)
        with organization_scope(organization.id):
            rules = list(rules_in_order(organization.id))
            named = services.named_sources(organization.id, rule)
            folded = folded_teams_of(organization.id)
        rules.insert(len(rules) if options["place"] is None else max(0, options["place"] - 1), named)
        from_day, to_day = _recent(options)
        found = preview(organization.id, rules, asked=[named], from_day=from_day, to_day=to_day)
        self._effect(shown(found.effect.as_dict(), folded), options["format"])

    def do_move(self, organization: Organization, options: dict[str, Any]) -> None:
        ids = [rule.id for rule in _rules(organization)]
        if options["id"] not in ids:
            raise RuleError("id", "There is no rule of that id.")
        places = options["place"] - 1 - ids.index(options["id"])
        change = services.move_rule(organization_id=organization.id, rule_id=options["id"], places=places)
        self._told(f"Rule {options['id']} is moved.", organization, change, "table")

    def do_end(self, organization: Organization, options: dict[str, Any]) -> None:
        change = services.end_rule(
            organization_id=organization.id, rule_id=options["id"], valid_to=options["to_day"] + timedelta(days=1)
        )
        self._told(f"Rule {options['id']} ends.", organization, change, "table")

    def do_remove(self, organization: Organization, options: dict[str, Any]) -> None:
        change = services.remove_rule(organization_id=organization.id, rule_id=options["id"], reason=options["reason"])
        self._told(f"Rule {options['id']} is taken back.", organization, change, "table")

    def do_export(self, organization: Organization, options: dict[str, Any]) -> None:
        with organization_scope(organization.id):
            reasons = dict(AttributionRule.objects.filter(organization_id=organization.id).values_list("id", "reason"))
        self.stdout.write(write_file((rule, reasons[rule.id]) for rule in _rules(organization)), ending="")

    def do_import(self, organization: Organization, options: dict[str, Any]) -> None:
        try:
            content = options["file"].read_bytes()
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from error
        change = services.import_rules(
            organization_id=organization.id, given=read_file(content), replace_all=options["replace"]
        )
        self._told(f"{change.written} rules are new.", organization, change, "table")

    def do_unattributed(self, organization: Organization, options: dict[str, Any]) -> None:
        from_day, to_day = _recent(options)
        found = unattributed(organization.id, from_day, to_day)
        rows: list[dict[str, Any]] = [
            {
                "kg_co2e": None if each.nkg is None else each.nkg / units.PER_KG,
                "share": each.share,
                "records": each.records,
                "conditions": [write_condition(condition) for condition in each.conditions],
            }
            for each in found.contributors
        ]
        if options["format"] == "json":
            whole = {"kg_co2e": found.nkg / units.PER_KG, "share": found.share, "records": found.records}
            self.stdout.write(json.dumps(whole | {"contributors": rows, "more": found.more}, indent=2))
            return
        share = "" if found.share is None else f", {found.share:.1%} of all"
        self.stdout.write(f"{found.nkg / units.PER_KG:.6g} kg CO2e of {found.records} records have no team{share}.")
        if rows:
            self.stdout.write(
                as_table(CONTRIBUTORS, [{**row, "conditions": "; ".join(row["conditions"])} for row in rows])
            )

    def _told(self, text: str, organization: Organization, change: services.RuleChange, form: str) -> None:
        with organization_scope(organization.id):
            folded = folded_teams_of(organization.id)
        effect = shown(change.effect.as_dict() if change.effect else {}, folded)
        if form == "json":
            self.stdout.write(json.dumps({"id": _id_of(change), "days": change.days, "effect": effect}, indent=2))
            return
        self.stdout.write(text)
        self._effect(effect, form)

    def _effect(self, effect: dict[str, Any], form: str) -> None:
        if form == "json":
            self.stdout.write(json.dumps(effect, indent=2))
            return
        for name, said in (("matched", "Meets the conditions"), ("moved", "Moves")):
            each = effect[name]
            kg = "" if each["kg_co2e"] is None else f", {each['kg_co2e']:.6g} kg CO2e"
            self.stdout.write(f"{said}: {each['series']} series, records {each['records']}{kg}.")
        if effect["flows"]:
            self.stdout.write(as_table(FLOWS, effect["flows"]))
        if effect["withheld"]:
            self.stdout.write("A team too small to be shown by itself gains or loses, so no kg are shown.")
        if effect["changes_kg"]:
            self.stdout.write("Stage, site or hosting change too: factors depend on them, so kg may change as well.")


def _add_id(parser: ArgumentParser) -> None:
    add_organization_argument(parser)
    parser.add_argument("id", type=int, help="of the rule, see list")


def _add_rule_arguments(parser: ArgumentParser) -> None:
    add_organization_argument(parser)
    parser.add_argument(
        "--when",
        action="append",
        default=[],
        metavar="CONDITION",
        help="such as 'label.namespace is search, ranking'; repeated: all of them",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="DIM=NAME",
        help=f"of {', '.join(TARGETS)}; repeated: each of them",
    )
    parser.add_argument("--overwrite", action="store_true", help="also where another name was reported")
    parser.add_argument("--from", type=date.fromisoformat, dest="from_day", metavar="DATE", help="first day, UTC")
    parser.add_argument("--to", type=date.fromisoformat, dest="to_day", metavar="DATE", help="last day, UTC, inclusive")
    parser.add_argument("--name", default="", help="of the rule")
    parser.add_argument("--place", type=int, help="in the list, from 1; default: the last")
    parser.add_argument("--reason", default="", help="for the audit log")


def _rule(options: dict[str, Any]) -> Rule:
    sets = dict(_pair(text) for text in options["set"])
    last = options["to_day"]
    return Rule(
        conditions=tuple(map(parse_condition, options["when"])),
        sets=sets,
        overwrite=options["overwrite"],
        valid_from=options["from_day"],
        valid_to=None if last is None else last + timedelta(days=1),
        name=options["name"],
    )


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise RuleError("sets", f"{text!r} is not DIM=NAME.")
    return name.strip(), value.strip()


def _rules(organization: Organization) -> Sequence[Rule]:
    """Read the rules with the names of their sources."""
    with organization_scope(organization.id):
        titles = source_names(organization.id)
        return [with_titles(rule, titles) for rule in rules_in_order(organization.id)]


def _recent(options: dict[str, Any]) -> tuple[date, date]:
    return days_before(datetime.now(UTC).date(), max(1, options["days"]))


def _id_of(change: services.RuleChange) -> int | None:
    return change.rule.id if change.rule else None


def _line(place: int, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "place": place,
        "id": row["id"],
        "name": row["name"] or None,
        "conditions": "; ".join(row["conditions"]),
        "sets": ", ".join(f"{target}={name}" for target, name in row["sets"].items()),
        "overwrite": "yes" if row["overwrite"] else None,
        "from": row["first_day"],
        "to": row["last_day"],
    }
