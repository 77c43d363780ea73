"""
The CodeCarbon client's own API, as far as its trackers use it (formats.md A1).

The client waits two seconds and never sends again, so each call is one insert; everything else happens in the worker.
"""

from __future__ import annotations

from uuid import UUID

import msgspec
from django.http import HttpRequest, HttpResponse, JsonResponse

from core.organizations.identity import Identity
from core.organizations.middleware import bearer
from core.problems import Problem
from ingestion import selectors, wake
from ingestion.http.doors import Body, door, keep, read_body, sender
from ingestion.services import accept_payload, announce_run, source_of
from ingestion.sources import codecarbon as adapter
from ingestion.sources import codecarbon_http_output as output_adapter
from ingestion.sources.codecarbon import InvalidBody

OTHER_CALLS = (
    "Wattledger takes runs and emissions of CodeCarbon. Organizations, projects, experiments and tokens are made in its own"
    " pages; set experiment_id by hand in .codecarbon.config instead of `codecarbon config`."
)


@door("POST")
def post_run(request: HttpRequest) -> HttpResponse:
    """Announce a run: 201 with its id, under which the tracker's emissions will come."""
    identity = sender(request, client_token(request))
    if identity.source_id is not None:
        source_of(identity, adapter.NAME)
    try:
        run = adapter.read_run(read_body(request).unpacked)
    except InvalidBody as error:
        raise invalid(error) from error
    run_id = announce_run(identity=identity, body=run)
    return JsonResponse({"id": str(run_id), **run}, status=201)


@door("POST")
def post_emission(request: HttpRequest) -> HttpResponse:
    """Take what a run used since its last call: 201 with an id; 404 for a run that was never announced here."""
    identity = sender(request, client_token(request))
    body = read_body(request)
    try:
        emission = adapter.read_emission(body.unpacked)
    except InvalidBody as error:
        raise invalid(error) from error
    if not selectors.run_exists(identity.organization_id, emission.run_id):
        raise Problem(404, "unknown-run", f"No run {emission.run_id} was announced here.", field="run_id")
    return answer_id(take(identity, adapter.NAME, body))


@door("POST")
def post_output(request: HttpRequest, secret: str) -> HttpResponse:
    """Take the totals of a run from the client's `emissions_endpoint`, whose address carries the token."""
    identity = sender(request, secret)
    body = read_body(request)
    try:
        return answer_id(take(identity, output_adapter.NAME, body))
    except InvalidBody as error:
        raise invalid(error) from error


@door("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE")
def other_call(request: HttpRequest) -> HttpResponse:
    """Answer the calls of `codecarbon config` and `login`, which need the public service."""
    raise Problem(501, "not-offered", OTHER_CALLS)


def client_token(request: HttpRequest) -> str | None:
    """Read the token where the client puts it: `x-api-token`, or `Authorization: Bearer`."""
    return request.headers.get("x-api-token") or bearer(request)


def take(identity: Identity, kind: str, body: Body) -> UUID:
    """Put one body into the inbox; give its batch."""
    accepted = accept_payload(identity=identity, kind=kind, files=[keep(identity, kind, body)], announced=1)
    wake.drain(identity.organization_id)
    return accepted.batch_id


def answer_id(batch_id: UUID) -> HttpResponse:
    """Answer 201 with a UUID as JSON text, as the public service does."""
    return HttpResponse(msgspec.json.encode(str(batch_id)), status=201, content_type="application/json")


def invalid(error: InvalidBody) -> Problem:
    """Say which field of a body is wrong."""
    return Problem(422, "invalid-body", str(error), field=error.field)
