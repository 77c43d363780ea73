"""
Files of records that are too many to be answered at once: somebody asks, a worker writes them day by day.

The request is a row, so nothing is lost with the broker; a worker that dies leaves it running without its lock, and the next one
begins again. Each day is one transaction: its part of the file and how far the file is.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

import structlog

from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.selectors import current_view
from core.locks import EXPORT_LOCK, if_free
from core.organizations.identity import Identity, current_actor
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from reporting.disclosures.csv_tables import written
from reporting.models import Export, ExportPart, ExportState
from reporting.selectors.record_files import COLUMNS, csv_of_day
from reporting.selectors.requests import reach_of
from reporting.selectors.saved import stored_view

log = structlog.get_logger()

ACTIVE: Final = (ExportState.WAITING, ExportState.RUNNING)
KEPT: Final = timedelta(days=7)
"""How long a file can be fetched after it was written."""


class ExportCancelledError(Exception):
    """Somebody cancelled the export while it was written."""


class ViewGoneError(Exception):
    """The stored view of an export was discarded before it was written."""


def ask_export(
    *,
    identity: Identity,
    from_day: date,
    to_day: date,
    dims: Mapping[str, tuple[str, ...]],
    failed_only: bool,
    rows: int,
    address: str,
    view_id: int | None = None,
) -> Export:
    """
    Ask for a file of the records of a filter.

    Args:
        dims: with what narrows the asker.
        rows: that are expected.
        address: of the page where it was asked for.
        view_id: of a stored view; without, the file is by the one that is current when it is written.
    """
    with organization_scope(identity.organization_id):
        export = Export.objects.create(
            organization_id=identity.organization_id,
            from_day=from_day,
            to_day=to_day,
            dims={name: list(values) for name, values in dims.items()},
            failed_only=failed_only,
            rows=rows,
            address=address,
            view_id=view_id,
            person_id=identity.person_id,
            asked_by=current_actor().name,
        )
        record_event(
            organization_id=identity.organization_id,
            action="ask_export",
            object_type="export",
            object_id=export.id,
            after={"from_day": from_day.isoformat(), "to_day": to_day.isoformat(), "dims": export.dims, "rows": rows},
        )
    return export


def cancel_export(*, organization_id: int, export_id: int) -> bool:
    """Stop an export that waits or is written; False: it had ended. What runs stops after its day and keeps nothing."""
    with organization_scope(organization_id):
        active = Export.objects.filter(organization_id=organization_id, id=export_id, state__in=ACTIVE)
        stopped = bool(active.update(state=ExportState.CANCELLED, ended_at=datetime.now(UTC)))
        if stopped:
            ExportPart.objects.filter(organization_id=organization_id, export_id=export_id).delete()
            record_event(
                organization_id=organization_id, action="cancel_export", object_type="export", object_id=export_id
            )
    return stopped


def export_is_due(organization_id: int) -> bool:
    """Tell whether an export waits, or was left by a worker, inside the organization's scope."""
    return Export.objects.filter(organization_id=organization_id, state__in=ACTIVE).exists()


def run_exports(organization_id: int) -> int:
    """Write what was asked for, the oldest first; tell how many. 0 at once where another worker does it."""
    done = 0
    with if_free(EXPORT_LOCK, organization_id) as alone:
        while alone and (export := _next(organization_id)) is not None:
            _write(export)
            done += 1
    return done


def forget_exports(organization_id: int, now: datetime) -> int:
    """Delete the files of exports that ended long ago, inside the organization's scope; the exports stay listed."""
    old = Export.objects.filter(organization_id=organization_id, ended_at__lt=now - KEPT, size_bytes__gt=0)
    ids = list(old.values_list("id", flat=True))
    ExportPart.objects.filter(organization_id=organization_id, export_id__in=ids).delete()
    Export.objects.filter(organization_id=organization_id, id__in=ids).update(size_bytes=0)
    return len(ids)


def _next(organization_id: int) -> Export | None:
    with organization_scope(organization_id):
        return Export.objects.filter(organization_id=organization_id, state__in=ACTIVE).order_by("id").first()


def _write(export: Export) -> None:
    try:
        view = _begin(export)
        for number, day in enumerate(_days(export), start=1):
            _write_day(export, view, number, day)
        _update(export, state=ExportState.DONE, ended_at=datetime.now(UTC))
    except ExportCancelledError:
        log.info("export cancelled", organization=export.organization_id, export=export.id)
    except ViewGoneError:
        _fail(export, "The stored figures were discarded before the file was written.")
    except Exception:
        _fail(export, "The file could not be written; the worker's log says why.")
        raise


def _begin(export: Export) -> View | None:
    """Start from nothing, with the header, on one view for all days."""
    with organization_scope(export.organization_id):
        ExportPart.objects.filter(organization_id=export.organization_id, export_id=export.id).delete()
        header = gzip.compress(written([list[object](COLUMNS)]), mtime=0)
        _add(export, 0, header)
        _update(export, state=ExportState.RUNNING, started_at=datetime.now(UTC), rows_done=0, size_bytes=len(header))
        export.refresh_from_db()
        if export.view_id is None:
            return current_view(export.organization_id)
        view = stored_view(export.organization_id, export.view_id)
        if view is None:
            raise ViewGoneError
        return view


def _write_day(export: Export, view: View | None, number: int, day: date) -> None:
    with organization_scope(export.organization_id):
        dims = {name: tuple(values) for name, values in export.dims.items()}
        reach = reach_of(export.organization_id, view, Filter(day, day, dims=dims))
        rows, body = csv_of_day(reach, day, failed_only=export.failed_only) if reach else (0, b"")
        part = gzip.compress(body, mtime=0) if rows else b""
        if part:
            _add(export, number, part)
        export.rows_done += rows
        export.size_bytes += len(part)
        _update(export, rows_done=export.rows_done, size_bytes=export.size_bytes)


def _days(export: Export) -> Iterator[date]:
    """List the days of an export, the latest first, as the list stands."""
    for back in range((export.to_day - export.from_day).days + 1):
        yield export.to_day - timedelta(days=back)


def _add(export: Export, number: int, content: bytes) -> None:
    ExportPart.objects.create(
        organization_id=export.organization_id, export_id=export.id, number=number, content=content
    )


def _update(export: Export, **fields: object) -> None:
    """Write to an export that is still wanted. Raises `ExportCancelledError` where it is not."""
    with organization_scope(export.organization_id):
        active = Export.objects.filter(organization_id=export.organization_id, id=export.id, state__in=ACTIVE)
        if not active.update(**fields):
            raise ExportCancelledError


def _fail(export: Export, error: str) -> None:
    with organization_scope(export.organization_id):
        active = Export.objects.filter(organization_id=export.organization_id, id=export.id, state__in=ACTIVE)
        active.update(state=ExportState.FAILED, error=error, ended_at=datetime.now(UTC))
