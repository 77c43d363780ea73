"""Records and runs "as of" a short link: by the factors of the stored view, and it is said."""

import csv
import gzip
import io
import re
from datetime import UTC, datetime, timedelta

import pytest

from core.accounting.services import views as view_services
from core.accounting.services.build import build_view
from core.factors.pack import load_pack
from core.factors.services import load_factor_set
from core.organizations.tenancy import organization_scope
from core.quantification.pack import pack_from_tables
from reporting.models import Export, ExportState, ShortLink
from reporting.pages import request_files
from reporting.services.exports import run_exports
from tests.deliver import deliver, metered
from tests.people import sign_in

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

DAY = datetime.now(UTC).date() - timedelta(days=2)  # the ids of records expire
LATELY = {"from": f"{DAY}", "to": f"{DAY}"}
THEN_KG = 10 * (0.329 + 0.0346)  # Germany: EEA 2023, and upstream by Ember 2026
NOW_KG = 10 * 0.400  # more than the 0.3636 of Ember's life cycle, so that no upstream is left


@pytest.fixture
def linked(client, organization):
    """A link as of the shipped factors; then Germany has 400 instead of 329 g/kWh."""
    times = {"started_at": f"{DAY}T10:00:00Z", "ended_at": f"{DAY}T11:00:00Z"}
    deliver(organization, [metered("one", 10.0, run="r1", requests=1, trace="t", **times)])
    page = sign_in(client, organization)
    page.post("/filters/link/", LATELY | {"at": "/requests/", "pin": "1"})
    with organization_scope(organization.id):
        link = ShortLink.objects.get()
    tables = dict(load_pack().blobs)
    name = "grid_intensity_annual--eea"
    tables[name] = tables[name].replace(b",329.0,", b",400.0,")
    dirtier = load_factor_set(pack_from_tables("dirtier-germany", tables)).factor_set
    new = view_services.begin_view(organization_id=organization.id, factor_set=dirtier.name)
    build_view(organization_id=organization.id, view_id=new.id)
    view_services.switch_view(organization_id=organization.id, view_id=new.id)
    return LATELY | {"as_of": link.key}


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("/requests/", {}),
        ("/requests/", {"sort": "-kg"}),
        ("/requests/record/", {"record": "one"}),
        ("/explain/", {"record": "one"}),
        ("/runs/", {}),
        ("/runs/r1/", {}),
    ],
)
def test_figures_are_by_the_stored_view_and_it_is_said(client, linked, address, asked):
    then = text_of(client.get(address, linked | asked))
    now = text_of(client.get(address, LATELY | asked))

    assert f"{THEN_KG:.2f}" in then or f"{THEN_KG:.1f}" in then
    assert f"{NOW_KG:.2f}" in now or f"{NOW_KG:.1f}" in now
    assert "Records and runs are quantified by them" in then
    assert "Figures as of" not in now


def test_addresses_keep_to_the_stored_view(client, linked):
    pages = [client.get(address, linked).content.decode() for address in ("/requests/", "/runs/", "/runs/r1/")]

    for page in pages:
        assert f"as_of={linked['as_of']}" in page
    assert re.search(r'href="/explain/\?record=one&amp;as_of=', pages[0])
    assert f'href="/runs/r1/?as_of={linked["as_of"]}"' in pages[1]
    assert f"?format=model-card&amp;as_of={linked['as_of']}" in pages[2]


def test_files_are_by_the_stored_view(client, organization, linked, monkeypatch):
    short = b"".join(client.get("/requests/", linked | {"format": "csv"}).streaming_content)
    monkeypatch.setattr(request_files, "STREAMED", 0)
    monkeypatch.setattr("reporting.pages.requests.STREAMED", 0)
    form = re.search(r'action="(/requests/export/[^"]+)"', client.get("/requests/", linked).content.decode())
    job = client.post(form[1].replace("&amp;", "&"))["Location"]
    run_exports(organization.id)
    file = re.search(r"/jobs/export/\d+/file/", client.get(job).content.decode())[0]
    long = gzip.decompress(b"".join(client.get(file).streaming_content))

    for body in (short, long):
        (row,) = csv.DictReader(io.StringIO(body.decode()))
        assert float(row["total_kg_co2e"]) == pytest.approx(THEN_KG)


def test_a_file_whose_stored_view_is_gone_is_not_written_by_another(client, organization, linked, monkeypatch):
    monkeypatch.setattr(request_files, "STREAMED", 0)
    monkeypatch.setattr("reporting.pages.requests.STREAMED", 0)
    form = re.search(r'action="(/requests/export/[^"]+)"', client.get("/requests/", linked).content.decode())
    client.post(form[1].replace("&amp;", "&"))
    given_up = view_services.begin_view(organization_id=organization.id)
    with organization_scope(organization.id):
        Export.objects.update(view_id=given_up.id)
    view_services.discard_view(organization_id=organization.id, view_id=given_up.id)

    run_exports(organization.id)

    with organization_scope(organization.id):
        export = Export.objects.get()
    assert export.state == ExportState.FAILED
    assert "discarded" in export.error
