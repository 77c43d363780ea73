"""POST /api/v1/activity: canonical records, committed before they are acknowledged."""

from __future__ import annotations

import pyarrow as pa
from django.http import HttpRequest, HttpResponse, JsonResponse

from core.organizations.identity import Identity
from core.organizations.middleware import bearer
from core.organizations.tenancy import organization_scope
from core.problems import Problem
from ingestion import selectors, wake
from ingestion.http.doors import Body, door, keep, read_body, require_media_type, sender
from ingestion.http.records import list_activity
from ingestion.services import Accepted, accept_payload, wait_until_done
from ingestion.sources import activity as adapter
from ingestion.sources.base import UnreadablePayload

MEDIA_TYPES = (
    "application/json",
    "application/x-ndjson",
    "application/jsonl",
    "application/json-lines",
    "application/vnd.apache.arrow.stream",
)
LONGEST_WAIT_S = 30.0
LONGEST_KEY = 255


@door("GET", "POST")
def activity(request: HttpRequest) -> HttpResponse:
    """Send records, or read them."""
    return post_activity(request) if request.method == "POST" else list_activity(request)


def post_activity(request: HttpRequest) -> HttpResponse:
    """Take a JSON array, JSON lines or an Arrow stream: 202 once it is committed, 200 when ``?wait=`` saw it done."""
    identity = sender(request, bearer(request))
    wait_s = seconds_to_wait(request)
    key = idempotency_key(request)
    body = read_body(request)
    require_media_type(body, *MEDIA_TYPES)
    if not body.unpacked.strip():
        raise Problem(
            400, "empty-body", "There is no record in the body.", what_to_do="Send a JSON array or JSON lines."
        )
    announced = count_rows(body)
    file = keep(identity, "activity", body)
    accepted = accept_payload(
        identity=identity,
        kind="activity",
        files=[file],
        announced=announced,
        idempotency_key=key,
    )
    wake.drain(identity.organization_id)
    return answer(identity, accepted, wait_s)


def count_rows(body: Body) -> int | None:
    """Count the records for the answer. Raises UnreadablePayload for an Arrow stream that is not whole."""
    if adapter.form_of(body.unpacked[:64], "", body.content_type) != adapter.ARROW:
        return adapter.count_rows(body.unpacked, body.content_type)
    try:
        with pa.ipc.open_stream(body.unpacked) as stream:
            return sum(batch.num_rows for batch in stream)
    except (pa.ArrowException, OSError) as error:
        raise UnreadablePayload(f"The Arrow stream is truncated or damaged: {error}. Nothing was stored.") from error


def answer(identity: Identity, accepted: Accepted, wait_s: float) -> HttpResponse:
    """Answer an accepted delivery: the batch object when it was done in time, else where it can be followed."""
    if wait_s and wait_until_done(identity.organization_id, accepted.batch_id, wait_s):
        with organization_scope(identity.organization_id):
            batch = selectors.batches(identity.organization_id).get(id=accepted.batch_id)
            return JsonResponse(selectors.batch_object(batch))
    response = JsonResponse({"batch": str(accepted.batch_id), "received": accepted.announced}, status=202)
    response["Location"] = f"/api/v1/batches/{accepted.batch_id}"
    return response


def seconds_to_wait(request: HttpRequest) -> float:
    """Read ``?wait=``; more than 30 s counts as 30. Raises Problem 400 when it is no number."""
    text = request.GET.get("wait", "0")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:
        raise Problem(400, "bad-parameter", f"wait={text!r} is no number of seconds.", field="wait")
    return min(seconds, LONGEST_WAIT_S)


def idempotency_key(request: HttpRequest) -> str:
    """Read the ``Idempotency-Key``. Raises Problem 400 when it is too long or not plain text."""
    key: str = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise Problem(
            400,
            "bad-header",
            f"An Idempotency-Key has at most {LONGEST_KEY} printable characters.",
            field="Idempotency-Key",
        )
    return key
