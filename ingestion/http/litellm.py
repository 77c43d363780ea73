"""
LiteLLM's generic API callback: events as an array, as lines or alone, all sent as `application/json`.

The gateway empties its queue whatever the answer, so each call is one insert; what cannot be read is told in words.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse

from core.organizations.middleware import bearer
from core.problems import Problem
from ingestion import wake
from ingestion.http.activity import answer
from ingestion.http.doors import door, keep_scrubbed, read_body, require_media_type, sender
from ingestion.services import accept_payload
from ingestion.sources import litellm as adapter

MEDIA_TYPES = ("application/json", "application/x-ndjson", "application/jsonl", "application/json-lines")


@door("POST")
def post_events(request: HttpRequest) -> HttpResponse:
    """Take events: 202 once they are committed, without messages, answers, users, keys and addresses."""
    identity = sender(request, bearer(request))
    body = read_body(request)
    require_media_type(body, *MEDIA_TYPES)
    if not body.unpacked.strip():
        raise Problem(400, "empty-body", "There is no event in the body.", what_to_do="Send a JSON array of events.")
    scrubbed, events = adapter.accept(body.unpacked)
    if not events:
        return JsonResponse({"batch": None, "received": 0}, status=202)
    accepted = accept_payload(
        identity=identity,
        kind=adapter.NAME,
        files=[keep_scrubbed(identity, body, scrubbed)],
        announced=events,
    )
    wake.drain(identity.organization_id)
    return answer(identity, accepted, 0)
