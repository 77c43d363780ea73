"""System: for those who run the installation, whether it is well and what it holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from core.organizations.access import requires
from core.organizations.middleware import own_scope
from core.organizations.policy import Action
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from reporting import figures
from reporting.pages.jobs import duration
from reporting.selectors import system as selectors
from reporting.templatetags.figures import locale

NAMES: Final[dict[str, str | Promise]] = {
    "wattledger": "Wattledger",
    "python": "Python",
    "django": "Django",
    "postgresql": "PostgreSQL",
    "broker": gettext_lazy("Valkey or Redis"),
    "migrations": gettext_lazy("Migrations"),
    "database_bytes": gettext_lazy("Size of the database"),
    "worker": gettext_lazy("Worker last seen"),
    "oldest_batch": gettext_lazy("Oldest delivery that waits"),
    "figures_lag_s": gettext_lazy("Figures behind the records"),
}
BYTES: Final = (("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12))


@require_safe
@requires(Action.MANAGE_PEOPLE)
def system(request: HttpRequest) -> HttpResponse:
    """Show how the installation is."""
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    now = datetime.now(UTC)
    free, whole, state = selectors.disk()
    event = selectors.latest_reconciliation(organization_id)
    workers = [shown(check, now) for check in selectors.workers(organization_id, now)]
    versions = [shown(check, now) for check in selectors.versions()]
    context = {
        "title": _("System"),
        "versions": versions,
        "workers": workers,
        "disk": {"text": _("{free} free of {whole}").format(free=size(free), whole=size(whole)), "state": state},
        "partitions": [
            {
                "row": row,
                "size": size(row.size_bytes),
                "first": suffix(row.first, row.table),
                "last": suffix(row.last, row.table),
            }
            for row in selectors.partitions()
        ],
        "faults": [check for check in (*workers, *versions) if check["state"] == "bad"],
        "reconciled": reconciled(event),
    }
    return render(request, "reporting/system.html", context)


@own_scope
@require_POST
@requires(Action.MANAGE_PEOPLE)
def reconcile(request: HttpRequest) -> HttpResponse:
    """Compare the latest days of ledger, cells and figures, and keep the answer in the audit log."""
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    answer = selectors.reconcile(organization_id)
    if answer is None:
        messages.info(request, _("There is nothing to compare yet."))
        return redirect("system")
    with organization_scope(organization_id):
        record_event(
            organization_id=organization_id, action=selectors.RECONCILE, object_type="organization", after=answer
        )
    return redirect("system")


def shown(check: selectors.Check, now: datetime) -> dict[str, Any]:
    """Write one check in words."""
    return {"label": NAMES.get(check.name, check.name), "value": value_of(check, now), "state": check.state}


def value_of(check: selectors.Check, now: datetime) -> str:
    """Write what a check found."""
    if check.name == "migrations":
        return _("{n} are not applied").format(n=check.value) if check.value else _("all applied")
    if check.name == "oldest_batch" and check.value is None:
        return _("none waits")
    if check.value is None:
        return _("never") if check.name == "worker" else _("cannot be reached")
    if isinstance(check.value, datetime):
        return _("{time} ago").format(time=duration((now - check.value).total_seconds()))
    if check.name == "figures_lag_s":
        return duration(check.value)
    if check.name == "database_bytes":
        return size(check.value)
    return str(check.value)


def size(value: int) -> str:
    """
    Write a size in bytes with a unit of a thousand.

    >>> size(512), size(1_530_000), size(2_400_000_000)
    ('0.512\\u202fkB', '1.53\\u202fMB', '2.40\\u202fGB')
    """
    unit, factor = next((step for step in reversed(BYTES) if value >= step[1]), BYTES[0])
    return (
        f"{figures.number(value / factor, figures.plain_scale([value / factor]), locale=locale())}{figures.THIN}{unit}"
    )


def suffix(partition: str, table: str) -> str:
    """
    Name a partition by what its name adds to that of its table.

    >>> suffix("ledger_record_2026_07", "ledger_record")
    '2026_07'
    """
    return partition.removeprefix(f"{table}_")


def reconciled(event: Any) -> dict[str, Any] | None:
    """Write what the last comparison found; None where there was none."""
    if event is None:
        return None
    after: dict[str, Any] = event.after
    differences = after["ledger_differences"] + after["daily_differences"]
    return after | {
        "at": event.occurred_at,
        "by": event.actor_name,
        "first": after["from"],
        "last": after["to"],
        "differences": differences,
    }
