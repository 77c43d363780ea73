"""manage.py grid_series list | import FILE | use --zone ZONE GRANULARITY | remove ID --organization SLUG"""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from core.accounting import services
from core.accounting.asking import add_organization_argument, organization_of
from core.accounting.output import as_table
from core.factors.grid_selectors import ListedSeries, grid_series, served_quarters
from core.factors.grid_services import BASES, BOUNDARIES, GAS_BASES, GridSeriesError
from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope
from core.quantification.grid_series import GRANULARITIES, Served, quarter_name
from core.quantification.grid_series_file import SeriesRefused, read_series

SERIES: Final = ("id", "zone", "values", "from", "to", "boundary", "basis", "gas_basis", "source", "licence", "removed")
QUARTERS: Final = ("zone", "quarter", "chosen", "served", "hours", "hours_missing", "gaps")
FAULTS_AT_MOST: Final = 50
GAPS_AT_MOST: Final = 5


class Command(BaseCommand):
    help = "Enter the organization's own grid factors, hours or months, and choose which a zone takes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        each = actions.add_parser("list", help="imports, and what each quarter takes")
        add_organization_argument(each)
        each.add_argument("--format", choices=["table", "json"], default="table")
        each = actions.add_parser("import", help="a CSV file: start_utc,g_per_kwh or month,g_per_kwh")
        add_organization_argument(each)
        each.add_argument("file", type=Path)
        each.add_argument("--zone", required=True, help="as the catalog names it, such as DE or EGRID:CAMX")
        each.add_argument("--source", required=True, help="where the numbers come from")
        each.add_argument("--licence", default="")
        each.add_argument(
            "--boundary", choices=BOUNDARIES, required=True, help="stack emissions only, or fuel and plants too"
        )
        each.add_argument("--basis", choices=BASES, default=BASES[0], help="imports traced, or what the zone generates")
        each.add_argument("--gas-basis", choices=GAS_BASES, default=GAS_BASES[0])
        each = actions.add_parser("use", help="the granularity that a zone takes, where the data covers it")
        add_organization_argument(each)
        each.add_argument("granularity", choices=GRANULARITIES)
        each.add_argument("--zone", required=True)
        each.add_argument("--from", type=_quarter, dest="first_quarter", metavar="QUARTER", help="such as 2026-Q3")
        each = actions.add_parser("remove", help="take an import back that was wrong")
        add_organization_argument(each)
        each.add_argument("id", type=int)
        each.add_argument("--reason", required=True, help="for the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_of(options)
        try:
            actions = {"list": self.show, "import": self.enter, "use": self.use, "remove": self.remove}
            actions[options["action"]](organization, options)
        except GridSeriesError as error:
            raise CommandError(str(error)) from error

    def show(self, organization: Organization, options: dict[str, Any]) -> None:
        with organization_scope(organization.id):
            series = [_described(each) for each in grid_series(organization.id)]
            quarters = [_quarter_row(each) for each in served_quarters(organization.id)]
        if options["format"] == "json":
            self.stdout.write(json.dumps({"series": series, "quarters": quarters}, indent=2))
        elif not series:
            self.stdout.write("There are no grid series: every zone takes the published factors.")
        else:
            short = [{**row, "gaps": _gaps_in_words(row["gaps"])} for row in quarters]
            self.stdout.write(f"{as_table(SERIES, series)}\n\n{as_table(QUARTERS, short)}")

    def enter(self, organization: Organization, options: dict[str, Any]) -> None:
        try:
            file = read_series(options["file"].read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{options['file']} cannot be read: {error}") from error
        except SeriesRefused as refused:
            raise CommandError(_refusal(refused)) from refused
        names = ("zone", "source", "licence", "boundary", "basis", "gas_basis")
        series = services.import_grid_series(
            organization_id=organization.id, file=file, **{name: options[name] for name in names}
        )
        what = "hours" if file.resolution == "hourly" else "months"
        self.stdout.write(f"Grid series {series.id}: {file.values} {what} of {series.zone}.")
        if file.hours_incomplete:
            self.stdout.write(f"{file.hours_incomplete} hours of which a part is missing are missing as a whole.")
        with organization_scope(organization.id):
            quarters = served_quarters(organization.id, series.zone)
        if all(each.chosen == "yearly" for each in quarters):
            self.stdout.write(f"Figures take it after: grid_series use --zone {series.zone} {file.resolution}")

    def use(self, organization: Organization, options: dict[str, Any]) -> None:
        choice = services.choose_granularity(
            organization_id=organization.id,
            zone=options["zone"],
            granularity=options["granularity"],
            first_quarter=options["first_quarter"],
        )
        since = f" from {quarter_name(choice.first_quarter)} on" if choice.first_quarter else ""
        self.stdout.write(
            f"{choice.zone} takes {choice.granularity} factors{since}, where the data covers the quarter."
        )

    def remove(self, organization: Organization, options: dict[str, Any]) -> None:
        series = services.remove_grid_series(
            organization_id=organization.id, series_id=options["id"], reason=options["reason"]
        )
        self.stdout.write(f"Grid series {series.id} of {series.zone} is taken back.")


def _quarter(text: str) -> date:
    """Read ``2026-Q3`` as its first day."""
    found = re.fullmatch(r"(\d{4})-Q([1-4])", text.strip().upper())
    if found is None:
        raise ValueError(text)
    return date(int(found[1]), 3 * int(found[2]) - 2, 1)


def _refusal(refused: SeriesRefused) -> str:
    lines = [
        f"row {fault.row}, {fault.field}: {fault.reason}" if fault.row else fault.reason
        for fault in refused.faults[:FAULTS_AT_MOST]
    ]
    if len(refused.faults) > FAULTS_AT_MOST:
        lines.append(f"and {len(refused.faults) - FAULTS_AT_MOST} more")
    return "Nothing was imported.\n" + "\n".join(lines)


def _described(series: ListedSeries) -> dict[str, Any]:
    return {
        "id": series.id,
        "zone": series.zone,
        "values": f"{series.values} {'hours' if series.resolution == 'hourly' else 'months'}",
        "from": f"{series.first_month:%Y-%m}",
        "to": f"{series.last_month:%Y-%m}",
        "boundary": series.boundary,
        "basis": series.basis,
        "gas_basis": series.gas_basis,
        "source": series.source,
        "licence": series.licence,
        "removed": series.removed,
    }


def _quarter_row(served: Served) -> dict[str, Any]:
    return {
        "zone": served.zone,
        "quarter": quarter_name(served.quarter),
        "chosen": served.chosen,
        "served": served.granularity,
        "hours": served.hours_present,
        "hours_missing": served.hours_missing,
        "gaps": [{"first_hour": f"{gap.first_hour:%Y-%m-%dT%H:%MZ}", "hours": gap.hours} for gap in served.gaps]
        + [{"month": f"{month:%Y-%m}"} for month in served.months_missing],
    }


def _gaps_in_words(gaps: list[dict[str, Any]]) -> str:
    words = [gap["month"] if "month" in gap else f"{gap['first_hour']} ({gap['hours']} h)" for gap in gaps]
    more = f", and {len(words) - GAPS_AT_MOST} more" if len(words) > GAPS_AT_MOST else ""
    return ", ".join(words[:GAPS_AT_MOST]) + more
