"""manage.py factors list | verify | diff A B | import FILE --name NAME [--base NAME [--prefer]] | unmatched"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from core.accounting.asking import add_organization_argument, add_period_arguments, organization_of, period_of
from core.accounting.figures import Filter, Period
from core.accounting.output import as_csv, as_table
from core.accounting.selectors import current_view, name_matches
from core.accounting.selectors.matches import LOOK_AT
from core.factors import selectors, services
from core.factors.importing import NothingToImport, read_tables
from core.factors.models import FactorSet
from core.organizations.tenancy import organization_scope
from core.quantification.factor_checks import SOURCES
from core.quantification.factor_differences import RowChange, TableDifference, difference_of
from core.quantification.pack import FILE, Row

COLUMNS: Final = (
    *("kind", "reported", "provider", "matched_to", "by", "confidence", "records", "without_figure", "energy_kwh"),
    *("location_kg_co2e", "series"),
)


class Command(BaseCommand):
    help = "List, check, compare and import factor sets; list the names that they do not know."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        for name, text in (("list", "the sets, the newest first"), ("verify", "read every set and check its hash")):
            action = actions.add_parser(name, help=text)
            action.add_argument("--format", choices=["table", "json"], default="table")
        diff = actions.add_parser(
            "diff", help="what differs between two sets: 0 when they hold the same, 1 when they differ"
        )
        diff.add_argument("first", help="name or hash")
        diff.add_argument("second", help="name or hash")
        diff.add_argument("--format", choices=["table", "json"], default="table")
        diff.add_argument("--summary", action="store_true", help="only how many rows of each table differ")
        load = actions.add_parser(
            "import",
            help="check tables and store them as a new set: a folder, a .zip or .tar.gz of <table>--<dataset>.csv, or one such"
            " file on top of a set",
        )
        load.add_argument("file", type=Path)
        load.add_argument("--name", help="of the new set; default: that of the folder or file")
        load.add_argument("--base", metavar="NAME", help="the set that the tables are added to, by name or hash")
        load.add_argument(
            "--prefer",
            action="store_true",
            help="with --base: new rows take the place of preferred ones about the same",
        )
        names = actions.add_parser(
            "unmatched",
            help="names in records that the catalog does not know, or only by a guess, and what rests on them",
        )
        add_organization_argument(names)
        add_period_arguments(names)
        names.add_argument("--all", action="store_true", help="also names that are known for sure")
        names.add_argument("--format", choices=["table", "csv", "json"], default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            actions = {
                "list": self.list,
                "verify": self.verify,
                "diff": self.diff,
                "import": self.load,
                "unmatched": self.unmatched,
            }
            actions[options["action"]](options)
        except services.ImpossibleFactors as error:
            for fault in error.faults:
                self.stderr.write(str(fault))
            raise CommandError(
                f"Nothing was imported: {_counted(len(error.faults), 'fault')}, listed above."
            ) from error
        except (
            selectors.NoFactorSet,
            selectors.DamagedFactorSet,
            services.FactorSetNameTaken,
            NothingToImport,
        ) as error:
            raise CommandError(str(error)) from error

    def list(self, options: dict[str, Any]) -> None:
        sets = [
            {
                "name": each.name,
                "content_hash": each.content_hash,
                "published_at": each.published_at.isoformat(),
                "tables": each.table_count,
                "rows": each.row_count,
            }
            for each in selectors.factor_sets()
        ]
        if options["format"] == "json":
            self.stdout.write(json.dumps(sets, indent=2))
            return
        for each in sets:
            self.stdout.write("{name}  {tables} tables  {rows} rows  {published_at}  {content_hash}".format(**each))

    def verify(self, options: dict[str, Any]) -> None:
        checked = []
        for each in FactorSet.objects.order_by("id"):
            selectors.pack_of.cache_clear()
            selectors.pack_of(each.content_hash)
            checked.append({"name": each.name, "content_hash": each.content_hash, "good": True})
        if options["format"] == "json":
            self.stdout.write(json.dumps(checked, indent=2))
            return
        for line in checked:
            self.stdout.write(f"{line['name']}  good  {line['content_hash']}")

    def diff(self, options: dict[str, Any]) -> None:
        packs = [selectors.pack_of(selectors.factor_set_of(options[name]).content_hash) for name in ("first", "second")]
        differences = difference_of(*packs)
        if options["format"] == "json":
            self.stdout.write(json.dumps([each.as_dict() for each in differences], indent=2))
        else:
            for each in differences:
                self._write_difference(each, summary=options["summary"])
        if differences:
            raise SystemExit(1)

    def _write_difference(self, each: TableDifference, *, summary: bool) -> None:
        counts = [f"{len(each.added)} added", f"{len(each.removed)} removed", f"{len(each.changed)} changed"]
        counts += [f"{each.only_source} with the same value from another source"] if each.only_source else []
        counts += [f"{_counted(each.others, 'row')} that no figure uses"] if each.others else []
        self.stdout.write(f"{each.table}: {', '.join(counts)}")
        if summary:
            return
        for change in each.changed:
            self.stdout.write(f"  ~ {_said(change)}")
        for sign, rows in (("-", each.removed), ("+", each.added)):
            for row in rows:
                self.stdout.write(f"  {sign} {_row_said(row)}")

    def load(self, options: dict[str, Any]) -> None:
        path: Path = options["file"]
        base = options["base"]
        if base is None and path.suffix.casefold() == ".csv":
            raise CommandError("One table is no set: say with --base NAME which set it is a new edition for.")
        if base is None and options["prefer"]:
            raise CommandError("--prefer says which rows of --base step back: name the base.", returncode=2)
        loaded = services.import_factor_set(
            read_tables(path),
            name=options["name"]
            or path.name.removesuffix(".gz").removesuffix(".tar").removesuffix(".zip").removesuffix(".csv"),
            this_year=datetime.now(UTC).year,
            base=None if base is None else selectors.pack_of(selectors.factor_set_of(base).content_hash),
            prefer=options["prefer"],
        )
        for warning in loaded.warnings:
            self.stderr.write(f"warning: {warning}")
        for licence in selectors.unusual_licences(loaded.factor_set):
            self.stderr.write(f"licence: {licence}")
        state = f"loaded, {_counted(loaded.new_tables, 'new table')}" if loaded.created else "there already"
        self.stdout.write(f"Factor set {loaded.factor_set.name}: {state} ({loaded.factor_set.content_hash}).")

    def unmatched(self, options: dict[str, Any]) -> None:
        organization = organization_of(options)
        asked = _whole_time() if not _says_period(options) else period_of(options, organization)
        with organization_scope(organization.id):
            view = current_view(organization.id)
        if view is None:
            raise CommandError("There are no figures yet: names are matched when days are derived.")
        pack = selectors.pack_of(view.factor_set.content_hash)
        found = name_matches(organization.id, view, pack, Filter(asked.from_day, asked.to_day))
        rows = [each.as_dict() for each in found if options["all"] or each.confidence in LOOK_AT]
        if options["format"] == "json":
            self.stdout.write(json.dumps(rows, indent=2))
        elif options["format"] == "csv":
            self.stdout.write(as_csv(COLUMNS, rows), ending="")
        elif rows:
            self.stdout.write(as_table(COLUMNS, rows))
            self.stdout.write("Say what a name stands for: manage.py alias set KIND REPORTED NAME --organization SLUG")
        else:
            self.stdout.write("Every name in the records is known for sure.")


def _says_period(options: dict[str, Any]) -> bool:
    return any(options[name] for name in ("period", "from_day", "to_day"))


def _whole_time() -> Period:
    return Period(date(1990, 1, 1), date(2199, 12, 31))


def _said(change: RowChange) -> str:
    values = [
        f"{each.column} {each.old or '(empty)'} -> {each.new or '(empty)'}"
        + (f" ({each.percent:+.1f} %)" if each.percent is not None else "")
        for each in change.values
    ]
    return f"{' '.join(change.key.values())}: {', '.join(values)}"


def _row_said(row: Row) -> str:
    name = row[FILE]
    table = name if name == SOURCES else f"{name}:"
    return f"{table} {','.join(value for column, value in row.items() if column != FILE)}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
