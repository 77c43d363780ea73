"""manage.py reconcile --organization SLUG [--from DATE --to DATE] [--format table,json]"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

import pandas as pd
from django.core.management.base import BaseCommand

from core.accounting.asking import add_organization_argument, add_period_arguments, organization_of, period_of
from core.accounting.figures import Period
from core.accounting.output import as_table
from core.accounting.selectors.reconciliation import reconcile_daily, span_of_cells
from core.ledger.reconciliation import reconcile_ledger


class Command(BaseCommand):
    help = "Compare ledger and cells, cells and daily rows. Exit 1 and the differences when they disagree."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_organization_argument(parser)
        add_period_arguments(parser)
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_of(options)
        given = options["period"] or options["from_day"] or options["to_day"]
        span = None if given else span_of_cells(organization.id)
        if not given and span is None:
            self.stdout.write("{}" if options["format"] == "json" else "There is nothing to compare: no cells.")
            return
        period = period_of(options, organization) if span is None else Period(*span)
        ledger = reconcile_ledger(organization.id, period.from_day, period.to_day)
        daily = reconcile_daily(organization.id, period.from_day, period.to_day)
        answer = {
            "from": period.from_day.isoformat(),
            "to": period.to_day.isoformat(),
            "ledger": _rows(ledger),
            "daily": _rows(daily.differences),
            "pending_days": [day.isoformat() for day in daily.pending],
        }
        if options["format"] == "json":
            self.stdout.write(json.dumps(answer, indent=2))
        else:
            self._table(period, ledger, daily.differences, len(daily.pending))
        if len(ledger) or len(daily.differences):
            raise SystemExit(1)

    def _table(self, period: Period, ledger: pd.DataFrame, daily: pd.DataFrame, pending: int) -> None:
        for title, frame in (("ledger against cells", ledger), ("cells against daily rows", daily)):
            self.stdout.write(f"{title}, {period.from_day} to {period.to_day}: {_verdict(len(frame))}")
            if len(frame):
                self.stdout.write(as_table(list(frame.columns), _rows(frame)))
        if pending:
            self.stdout.write(f"{pending} days wait for derive and were not compared with daily rows.")


def _verdict(differences: int) -> str:
    return "equal" if not differences else f"{differences} differences"


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn differences into plain values; days as text."""
    return [
        {str(name): value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
