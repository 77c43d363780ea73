"""manage.py coverage list, reconcile, completeness, expect, unit, link, independent or remove, --organization SLUG"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from core.accounting import services
from core.accounting.asking import add_organization_argument, add_period_arguments, organization_of, period_of
from core.accounting.figures import Filter, Period
from core.accounting.models import CoverageUnit, ExpectedKind
from core.accounting.output import as_csv, as_table
from core.accounting.selectors import overlap_warnings
from core.accounting.selectors.completeness import completeness
from core.accounting.selectors.coverage import coverage_of
from core.accounting.selectors.reconciliation import span_of_cells
from core.accounting.selectors.signal_tokens import signal_differences
from core.accounting.selectors.suggested_links import suggested_links
from core.accounting.selectors.unit_reconciliation import reconciled_units
from core.accounting.selectors.unlinked_statements import unlinked_statements
from core.ledger.models import Source
from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope
from core.quantification.coverage import LEVELS, MOVABLE, SOURCE, STATED
from core.quantification.unit_comparison import NOT_COMPARABLE

TABLES: Final = {
    "units": ("name", "counts", "precedence", "reason"),
    "links": ("id", "source", "account", "unit", "part", "reason"),
    "overlaps": ("source", "accounts", "records", "kg_co2e"),
}


class Command(BaseCommand):
    help = (
        "Say which sources describe the same activity, so that it counts once: units, their sources, and what may overlap."
        " A source is named by its name, or as KIND/NAME where two have the same. Figures follow within a minute."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        each = actions.add_parser("list", help="units, links, and sources that may count something a second time")
        add_organization_argument(each)
        add_period_arguments(each)
        each.add_argument("--format", choices=["table", "json"], default="table")
        each = actions.add_parser(
            "completeness", help="what should report against what did: missing days, and an estimate"
        )
        add_organization_argument(each)
        add_period_arguments(each)
        each.add_argument("--format", choices=["table", "csv", "json"], default="table")
        each = actions.add_parser("expect", help="say that a source, or one account of it, should report every day")
        each.add_argument("source")
        each.add_argument("--account", help="only this account of the source")
        each.add_argument("--kind", choices=ExpectedKind.values, default="account")
        each.add_argument("--since", type=date.fromisoformat, required=True, metavar="DATE")
        each.add_argument("--until", type=date.fromisoformat, metavar="DATE")
        _add_reason(each)
        each = actions.add_parser(
            "reconcile", help="measured, modelled and stated of each unit side by side, and the gap"
        )
        add_organization_argument(each)
        add_period_arguments(each)
        each.add_argument("--format", choices=["table", "json"], default="table")
        each = actions.add_parser(
            "unit", help="make a unit, or change what counts in it: better evidence, if nothing is said"
        )
        each.add_argument("name")
        each.add_argument("--counts", metavar="SOURCE", help="this source alone counts, whatever it covers")
        each.add_argument(
            "--precedence",
            default="",
            metavar="LIST",
            help=f"order of evidence, best first, with a reason: some of {','.join(MOVABLE)} and sources, by comma",
        )
        _add_reason(each)
        each = actions.add_parser("link", help="tie a source to a unit, the one that counts too")
        each.add_argument("source")
        each.add_argument("--unit", required=True, metavar="NAME")
        each.add_argument("--account", help="only this account of the source")
        which = each.add_mutually_exclusive_group()
        which.add_argument("--part", action="store_true", help="it describes a part of its own: such sources add up")
        which.add_argument(
            "--whole", action="store_true", help="it describes the whole unit: the one linked first goes first"
        )
        _add_reason(each)
        each = actions.add_parser("independent", help="say that no other source describes what this one does")
        each.add_argument("source")
        each.add_argument("--account", help="only this account of the source")
        _add_reason(each)
        each = actions.add_parser("remove", help="take a link back, by its id")
        each.add_argument("id", type=int)
        add_organization_argument(each)

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_of(options)
        try:
            getattr(self, options["action"])(organization, options)
        except services.CoverageError as error:
            raise CommandError(str(error)) from error

    def list(self, organization: Organization, options: dict[str, Any]) -> None:
        held = coverage_of(organization.id)
        answer = {"units": held.units, "links": held.links, "overlaps": _overlaps(organization, options)}
        if options["format"] == "json":
            self.stdout.write(json.dumps(answer, indent=2, allow_nan=False))
            return
        for title, columns in TABLES.items():
            rows = [
                {**row, **{name: ", ".join(row.get(name) or []) for name in ("accounts", "precedence")}}
                for row in answer[title]
            ]
            self.stdout.write(f"{title}: {'' if rows else 'none'}".strip())
            if rows:
                self.stdout.write(as_table(columns, rows))

    def reconcile(self, organization: Organization, options: dict[str, Any]) -> None:
        span = span_of_cells(organization.id)
        given = options["period"] or options["from_day"] or options["to_day"]
        period = period_of(options, organization) if given or span is None else Period(*span)
        asked = Filter(period.from_day, period.to_day)
        units = reconciled_units(organization.id, asked)
        statements = [each.as_dict() for each in unlinked_statements(organization.id, asked)]
        signals = [each.as_dict() for each in signal_differences(organization.id, asked)]
        if options["format"] == "json":
            answer = {
                "from": period.from_day.isoformat(),
                "to": period.to_day.isoformat(),
                "units": [unit.as_dict() for unit in units],
                "unlinked_statements": statements,
                "signal_differences": signals,
                "suggested_links": [each.as_dict() for each in suggested_links(organization.id)],
            }
            self.stdout.write(json.dumps(answer, indent=2, allow_nan=False))
            return
        self.stdout.write(f"{period.from_day} to {period.to_day}, kg CO2e: all that each kind of evidence says")
        self.stdout.write(
            as_table(RECONCILED, [{**(row := unit.side_by_side()), "flags": ", ".join(row["flags"])} for unit in units])
        )
        overlaps = [
            {"unit": unit.name, **each.as_dict(), "measure": each.measure or NOT_COMPARABLE}
            for unit in units
            if unit.comparison
            for each in unit.comparison.overlaps
        ]
        if overlaps:
            self.stdout.write(
                "Sources of one kind of evidence that describe the same unit: what the other says again does not count"
            )
            self.stdout.write(as_table(OVERLAPS, overlaps))
        if any(unit.comparison and unit.comparison.of(STATED) for unit in units):
            self.stdout.write("A statement covers the whole account, so no gap is taken to it.")
        if statements:
            self.stdout.write(
                "Statements linked to nothing, stated beside: the part on AI services counts until"
                ' "coverage link SOURCE --account ACCOUNT --unit UNIT" ties them to what describes the account'
            )
            self.stdout.write(as_table(STATEMENTS, statements))
        if signals:
            self.stdout.write(
                "Services whose spans and metrics differ by over 5 % of tokens: sampled, or some of the calls"
            )
            self.stdout.write(as_table(SIGNALS, signals))

    def completeness(self, organization: Organization, options: dict[str, Any]) -> None:
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        span = span_of_cells(organization.id)
        given = options["period"] or options["from_day"] or options["to_day"]
        period = period_of(options, organization) if given or span is None else Period(*span)
        found, seen = completeness(organization.id, period.from_day, min(period.to_day, yesterday))
        rows = [each.as_dict() for each in found]
        if options["format"] == "csv":
            self.stdout.write(as_csv(COMPLETENESS, rows), ending="")
        elif options["format"] == "json":
            proposed = [{"source": each.source, "account": each.account} for each in seen]
            self.stdout.write(
                json.dumps({"expected": rows, "seen_and_not_expected": proposed}, indent=2, allow_nan=False)
            )
        else:
            self.stdout.write(as_table(COMPLETENESS, rows) if rows else "Nothing is expected yet.")
            for each in seen:
                self.stdout.write(f"seen and not expected: {each.source}, {each.account or 'no account'}")

    def expect(self, organization: Organization, options: dict[str, Any]) -> None:
        source = _source(organization, options["source"])
        given = {name: options[name] for name in ("account", "kind", "since", "until", "reason")}
        entry = services.expect(organization_id=organization.id, source_id=source.id, **given)
        self.stdout.write(f"Entry {entry.id}: {source.kind}/{source.name} is expected from {entry.since} on.")

    def unit(self, organization: Organization, options: dict[str, Any]) -> None:
        source = _source(organization, options["counts"]) if options["counts"] else None
        order = [each.strip() for each in options["precedence"].split(",") if each.strip()]
        services.set_coverage_unit(
            organization_id=organization.id,
            name=options["name"],
            counting_source_id=None if source is None else source.id,
            precedence=[each if each in LEVELS else f"{SOURCE}{_source(organization, each).id}" for each in order],
            reason=options["reason"],
        )
        if source is not None:
            self.stdout.write(f"In {options['name']}, {source.kind}/{source.name} alone counts.")
        else:
            first = f": {', '.join(order)} before all else" if order else ""
            self.stdout.write(f"In {options['name']}, better evidence counts for the part that it covers{first}.")

    def link(self, organization: Organization, options: dict[str, Any]) -> None:
        source = _source(organization, options["source"])
        with organization_scope(organization.id):
            unit = CoverageUnit.objects.filter(organization_id=organization.id, name=options["unit"]).first()
        if unit is None:
            raise CommandError(f"There is no coverage unit {options['unit']!r}.")
        link = services.link_source(
            organization_id=organization.id,
            source_id=source.id,
            unit_id=unit.id,
            account=options["account"],
            part=True if options["part"] else False if options["whole"] else None,
            reason=options["reason"],
        )
        self.stdout.write(f"Link {link.id}: {source.kind}/{source.name} describes {unit.name}.")

    def independent(self, organization: Organization, options: dict[str, Any]) -> None:
        source = _source(organization, options["source"])
        link = services.declare_independent(
            organization_id=organization.id,
            source_id=source.id,
            account=options["account"],
            reason=options["reason"],
        )
        self.stdout.write(f"Link {link.id}: {source.kind}/{source.name} is independent of all others.")

    def remove(self, organization: Organization, options: dict[str, Any]) -> None:
        services.remove_link(organization_id=organization.id, link_id=options["id"])
        self.stdout.write(f"Link {options['id']} is taken back.")


COMPLETENESS: Final = (
    *("kind", "source", "account", "since", "until", "expected_days", "reported_days", "missing_days", "missing"),
    "proposed_estimate_kg_co2e",
)
RECONCILED: Final = (
    *("unit", *(f"{level}_kg_co2e" for level in LEVELS[:4]), "counted_kg_co2e"),
    *("covered_percent", "of", "gap_kg_co2e", "flags"),
)
OVERLAPS: Final = (
    *("unit", "level", "stands", "other", "measure", "standing", "overlapping"),
    *("counted_kg_co2e", "cross_check_kg_co2e"),
)
STATEMENTS: Final = ("source", "account", "records", "stated_kg_co2e", "counted_kg_co2e", "beside_kg_co2e")
SIGNALS: Final = ("source", "service", "measure", "spans", "metrics", "difference")


def _add_reason(parser: ArgumentParser) -> None:
    add_organization_argument(parser)
    parser.add_argument("--reason", default="", help="for the audit log")


def _overlaps(organization: Organization, options: dict[str, Any]) -> list[dict[str, Any]]:
    """List what may count twice in the period asked for, or ever."""
    given = options["period"] or options["from_day"] or options["to_day"]
    span = span_of_cells(organization.id)
    if span is None and not given:
        return []
    period = period_of(options, organization) if given or span is None else Period(*span)
    return [
        {
            "source": each.source,
            "accounts": [account or "no account" for account in each.accounts],
            "records": each.records,
            "kg_co2e": each.kg_co2e,
        }
        for each in overlap_warnings(organization.id, Filter(period.from_day, period.to_day))
    ]


def _source(organization: Organization, text: str) -> Source:
    """Find a source by its name, or by kind and name. Raises CommandError where that is none or several."""
    kind, _, name = text.rpartition("/")
    with organization_scope(organization.id):
        every = Source.objects.filter(organization_id=organization.id)
        found = list(every.filter(name=text)) or list(every.filter(kind=kind, name=name))
        known = [f"{source.kind}/{source.name}" for source in every.order_by("kind", "name")]
    if len(found) != 1:
        verb = "is no source" if not found else "is the name of several sources"
        raise CommandError(f"{text!r} {verb}; there are {', '.join(known) or 'none'}.")
    return found[0]
