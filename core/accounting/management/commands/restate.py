"""manage.py restate --organization SLUG --from DATE --to DATE [--factor-set NAME] [--methodology V] [--apply]"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.accounting.asking import (
    USAGE,
    add_filter_arguments,
    add_organization_argument,
    add_period_arguments,
    filter_of,
    organization_of,
)
from core.accounting.models import View, ViewState
from core.accounting.output import as_table
from core.accounting.selectors import live_views
from core.accounting.services import Restatement, ViewError, discard_abandoned_views, discard_view, restate
from core.accounting.services.restatement import FIGURES, Step
from core.factors.selectors import NoFactorSet
from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope
from core.quantification.methods import UnknownMethodology


class Command(BaseCommand):
    help = (
        "Rehearse another factor set or methodology: the period's old and new totals, and the bridge between them. Its steps"
        " are correction, activity, coverage, method and factor, each derived on the last; the first three are 0, since both"
        " sides are derived from the same records and rules. With --apply every day is built and the organization switched to"
        " it; closed inventories stay as they are."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_organization_argument(parser)
        add_period_arguments(parser)
        add_filter_arguments(parser)
        parser.add_argument("--factor-set", metavar="NAME", help="name or hash; see `factors list`")
        parser.add_argument(
            "--methodology",
            metavar="V",
            help="version, such as 2026.1, or with settings of your own: '2026.1 prefill=off host_factor=1.3/1.2/1.5'",
        )
        parser.add_argument(
            "--apply", action="store_true", help="switch to it; without: a rehearsal that leaves nothing"
        )
        parser.add_argument(
            "--discard", type=int, metavar="VIEW", help="give up a view whose build hangs; its builder will fail"
        )
        parser.add_argument("--reason", default="", help="for the audit log")
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_of(options)
        if options["discard"] is not None:
            self._discard(organization, options["discard"])
            return
        asked = filter_of(options, organization)
        if not options["factor_set"] and not options["methodology"]:
            raise CommandError("Say what is to change: --factor-set NAME, --methodology V, or both.", returncode=USAGE)
        self._warn_of_unfinished(organization)
        try:
            restated = restate(
                organization_id=organization.id,
                asked=asked,
                factor_set=options["factor_set"],
                methodology=options["methodology"],
                apply=options["apply"],
                reason=options["reason"],
            )
        except (NoFactorSet, UnknownMethodology, ViewError) as error:
            raise CommandError(str(error)) from error
        if options["format"] == "json":
            answer = {"filter": asked.as_dict(), **restated.as_dict()}
            self.stdout.write(json.dumps(answer, indent=2, allow_nan=False))
        else:
            self._table(restated)

    def _discard(self, organization: Organization, view_id: int) -> None:
        try:
            discard_view(organization_id=organization.id, view_id=view_id)
        except ViewError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"View {view_id} is gone.")

    def _warn_of_unfinished(self, organization: Organization) -> None:
        """Name the views that derive keeps up to date beside the current one; those of calls that broke off are dropped."""
        for view_id in discard_abandoned_views(organization.id):
            self.stderr.write(f"View {view_id} was left by a call that broke off; it is gone.")
        with organization_scope(organization.id):
            unfinished = [view for view in live_views(organization.id) if view.state == ViewState.BUILDING]
        for view in unfinished:
            begun = f"{view.created_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            self.stderr.write(
                f"View {view.id}, begun {begun}, is being built; if it hangs: `restate --discard {view.id}`."
            )

    def _table(self, restated: Restatement) -> None:
        self.stdout.write(f"old: {_origin(restated.old_view)}")
        self.stdout.write(f"new: {_origin(restated.new_view)}")
        rows = [
            {
                "figure": name,
                "old": restated.old[name],
                **{step.name: _change(step, name) for step in restated.steps},
                "new": restated.new[name],
            }
            for name in FIGURES
        ]
        self.stdout.write(as_table(list(rows[0]), rows))
        self.stdout.write(
            f"Switched to view {restated.new_view.id}." if restated.applied else "A rehearsal: nothing was changed."
        )


def _change(step: Step, name: str) -> float | str | None:
    """Give the change of a figure; where it is known on one side only, on which it is not."""
    side = step.not_known.get(name)
    return f"not known {side}" if side in ("before", "after") else step.change[name]


def _origin(view: View) -> str:
    return f"{view.factor_set.name}, methodology {view.methodology}"
