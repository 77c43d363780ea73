"""manage.py factors list | verify | diff A B | import DIRECTORY --name NAME"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.factors import selectors, services
from core.factors.models import FactorSet
from core.factors.pack import NoFactorTables, load_pack


class Command(BaseCommand):
    help = "List, check, compare and import factor sets."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        for name, text in (("list", "the sets, the newest first"), ("verify", "read every set and check its hash")):
            action = actions.add_parser(name, help=text)
            action.add_argument("--format", choices=["table", "json"], default="table")
        diff = actions.add_parser("diff", help="rows that differ between two sets; exit 1 when there are any")
        diff.add_argument("first", help="name or hash")
        diff.add_argument("second", help="name or hash")
        diff.add_argument("--format", choices=["table", "json"], default="table")
        load = actions.add_parser("import", help="load a folder of tables (<table>--<dataset>.csv) as a new set")
        load.add_argument("file", type=Path)
        load.add_argument("--name", help="of the set; default: the folder's name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            actions = {"list": self.list, "verify": self.verify, "diff": self.diff, "import": self.load}
            actions[options["action"]](options)
        except (
            selectors.NoFactorSet,
            selectors.DamagedFactorSet,
            services.FactorSetNameTaken,
            NoFactorTables,
            ValueError,
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
        differences = selectors.difference_of(*packs)
        if options["format"] == "json":
            lines = [
                {
                    "table": each.table,
                    "removed": [dict(zip(each.columns, row, strict=False)) for row in each.removed],
                    "added": [dict(zip(each.columns, row, strict=False)) for row in each.added],
                }
                for each in differences
            ]
            self.stdout.write(json.dumps(lines, indent=2))
        else:
            for each in differences:
                self.stdout.write(f"{each.table}: {len(each.removed)} rows removed, {len(each.added)} added")
                for sign, rows in (("-", each.removed), ("+", each.added)):
                    for row in rows:
                        self.stdout.write(f"  {sign} {','.join(row)}")
        if differences:
            raise SystemExit(1)

    def load(self, options: dict[str, Any]) -> None:
        pack = load_pack(options["file"], name=options["name"] or options["file"].name)
        loaded = services.load_factor_set(pack)
        state = f"loaded, {loaded.new_tables} new tables" if loaded.created else "there already"
        self.stdout.write(f"Factor set {loaded.factor_set.name}: {state} ({loaded.factor_set.content_hash}).")
