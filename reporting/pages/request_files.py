"""The list of requests as a file: streamed where it is short, written by a worker where it is long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.organizations.access import requires
from core.organizations.identity import Identity
from core.organizations.policy import Action, narrowing
from core.organizations.tenancy import organization_scope
from reporting import figures
from reporting.disclosures.csv_tables import written
from reporting.models import Export, ExportPart, ExportState
from reporting.pages.files import TYPES, file_asked, lines_file
from reporting.query import Query
from reporting.selectors.record_files import COLUMNS, lines_of, pages_of_day
from reporting.selectors.requests import NEWEST, Reach, ordered, with_text
from reporting.services.exports import ask_export
from reporting.tasks import wake_after_commit
from reporting.templatetags.figures import locale

STREAMED: Final = 50_000
"""Most records that are answered at once."""
MOST_IN_WORKBOOK: Final = 5_000
"""Most records of a workbook, of which each has 50 cells: it is made while somebody waits."""
SLICE_ROWS: Final = 2_000


def requests_file(request: HttpRequest, query: Query, reach: Reach, *, sort: str, tab: str) -> HttpResponse:
    """Answer the records of a list as CSV or XLSX; of one that is too long, lead back to the button that asks a worker for it."""
    if reach.total > STREAMED:
        messages.info(request, _("This list is too long to be answered at once: ask for its file with the button."))
        return redirect(f"{request.path}{query.link()}")
    if file_asked(request) == "xlsx" and reach.total > MOST_IN_WORKBOOK:
        most = figures.count(MOST_IN_WORKBOOK, locale=locale())
        messages.info(request, _("A workbook holds up to {most} records: take the list as CSV.").format(most=most))
        return redirect(f"{request.path}{query.link()}")
    name = f"requests_{query.filter.from_day}_{query.filter.to_day}"
    if file_asked(request) == "xlsx":
        lines = (line for page in streamed(reach, sort, tab) for line in page)
        return lines_file(request, lines, name, query)
    response = StreamingHttpResponse(map(written, streamed(reach, sort, tab)), content_type=TYPES["csv"])
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response  # type: ignore[return-value]  # a stream is passed on like any answer


def ask_for(request: HttpRequest, query: Query, reach: Reach, tab: str) -> HttpResponse:
    """Ask for the file of a long list. A file is by time: the order of the page is not looked at."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    export = ask_export(
        identity=identity,
        from_day=query.filter.from_day,
        to_day=query.filter.to_day,
        dims=query.filter.dims,
        failed_only=tab == "failed",
        rows=reach.total,
        view_id=reach.view.id if query.pinned else None,
        address=f"{reverse('requests')}{query.link(tab=tab or None)}",
    )
    wake_after_commit(identity.organization_id)
    return redirect("job", f"export-{export.id}")


def streamed(reach: Reach, sort: str, tab: str) -> Iterator[list[list[object]]]:
    """Read a list in its order, the header first; the transaction of the request may be over, so each piece has its own scope."""
    yield [list[object](COLUMNS)]
    if sort == NEWEST and tab != "outliers":
        for back in range((reach.asked.to_day - reach.asked.from_day).days + 1):
            with organization_scope(reach.organization_id):
                day = reach.asked.to_day - timedelta(days=back)
                pages = [lines_of(page) for page in pages_of_day(reach, day, failed_only=tab == "failed")]
            yield from pages
        return
    with organization_scope(reach.organization_id):
        window = reach.window()
        rows = ordered(window, sort, tab)
    for start in range(0, len(rows), SLICE_ROWS):
        with organization_scope(reach.organization_id):
            yield lines_of(with_text(reach, window, rows.iloc[start : start + SLICE_ROWS]))


@require_safe
@requires(Action.SEE_REQUESTS)
def export_file(request: HttpRequest, export_id: int) -> HttpResponse:
    """Answer the file of an export to who asked for it, and to those who may see every record."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    export = Export.objects.filter(organization_id=identity.organization_id, id=export_id).first()
    if export is None or not may_fetch(identity, export):
        raise Http404
    numbers = list(
        ExportPart.objects.filter(organization_id=identity.organization_id, export_id=export.id)
        .order_by("number")
        .values_list("number", flat=True)
    )
    if export.state != ExportState.DONE or not numbers:
        raise Http404
    response = StreamingHttpResponse(parts(export, numbers), content_type="application/gzip")
    name = f"requests_{export.from_day}_{export.to_day}.csv.gz"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Content-Length"] = str(export.size_bytes)
    return response  # type: ignore[return-value]  # a stream is passed on like any answer


def may_fetch(identity: Identity, export: Export) -> bool:
    """Tell whether a file is for the asker: their own, or anybody's where nothing narrows them."""
    own = identity.person_id is not None and export.person_id == identity.person_id
    return own or not narrowing(identity, requests=True)


def parts(export: Export, numbers: list[int]) -> Iterator[bytes]:
    """Read a file part by part, each in a scope of its own."""
    for number in numbers:
        with organization_scope(export.organization_id):
            part = ExportPart.objects.get(organization_id=export.organization_id, export_id=export.id, number=number)
        yield bytes(part.content)
