"""
What all doors share: who sends, the body within its limits, and errors in the words of each protocol.

Doors are plain views: they commit before they answer, so they open the organization's scope themselves.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from core.identifiers import uuid7
from core.organizations.identity import Identity, act_as
from core.organizations.middleware import own_identity, own_scope
from core.organizations.policy import Action, may
from core.organizations.services import authenticate_token
from core.problems import Problem, problem
from ingestion import payloads, users
from ingestion.services.accept import KeyReusedError, WrongSourceError
from ingestion.sources import registry
from ingestion.sources.base import UnreadablePayload
from ingestion.uploads import UnknownFormatError

log = structlog.get_logger()

View = Callable[..., HttpResponse]
Respond = Callable[[HttpRequest, Problem], HttpResponse]

ENCODINGS = {"": "", "identity": "", "gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "zstd": "zstd"}


def problem_document(_: HttpRequest, error: Problem) -> HttpResponse:
    """Answer a problem as RFC 9457 document."""
    return problem(error.status_code, error.kind, str(error.detail), **error.members)


def door(*methods: str, respond: Respond = problem_document, session: bool = False) -> Callable[[View], View]:
    """
    Make a plain view a door: only these methods, every expected fault answered in the protocol's own form.

    With ``session`` people may use it too: the middleware then settles who asks, and the view checks the CSRF token.

    A database that is away or restarting is 503 with Retry-After, never 500: agents drop their data on 500.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @(own_scope if session else own_identity)
        @functools.wraps(view)
        def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method not in methods:
                answer = respond(request, Problem(405, "method-not-allowed", f"Use {' or '.join(methods)} here."))
                answer["Allow"] = ", ".join(methods)
                return answer
            try:
                return view(request, *args, **kwargs)
            except Problem as error:
                return respond(request, error)
            except UnreadablePayload as error:
                return respond(request, Problem(400, "unreadable-payload", str(error)))
            except UnknownFormatError as error:
                return respond(request, Problem(422, "unknown-format", str(error), field="source"))
            except WrongSourceError as error:
                return respond(request, Problem(403, "wrong-source", str(error)))
            except KeyReusedError:
                return respond(request, Problem(422, "idempotency-key-reused", KEY_REUSED, field="Idempotency-Key"))
            except (OperationalError, InterfaceError) as error:
                log.warning("door could not reach the database", error=type(error).__name__)
                return respond(request, Problem(503, "busy", "The ledger cannot be reached just now. Send it again."))

        return wrapper

    return decorate


KEY_REUSED = (
    "This Idempotency-Key came with another body within the last 24 hours, or once as a dry run and once not. Use a new "
    "key for new content, or send the same content again."
)


def sender(request: HttpRequest, secret: str | None) -> Identity:
    """Find out whose token this is. Raises Problem 401 for strangers, 403 for a token without the scope `ingest`."""
    if not secret:
        raise Problem(401, "no-token", "Send a token of scope ingest.", what_to_do="Authorization: Bearer wl_...")
    identity = authenticate_token(
        secret,
        request_id=request.request_id,  # type: ignore[attr-defined]
        address=request.META.get("REMOTE_ADDR", ""),
    )
    if identity is None:
        raise Problem(401, "unknown-token", "This token is unknown, expired or revoked.")
    act_as(identity.actor)
    structlog.contextvars.bind_contextvars(organization=identity.organization_id, token=identity.token_id)
    if not may(identity, Action.INGEST):
        raise Problem(403, "missing-scope", "This token may not send: it needs the scope ingest.", needed="ingest")
    return identity


@dataclass(frozen=True)
class Body:
    """A request's body: as sent, and what is inside. Both at most MAX_PAYLOAD_MB."""

    sent: bytes
    encoding: str
    unpacked: bytes
    content_type: str


def read_body(request: HttpRequest) -> Body:
    """
    Read and unpack a body, never more than the limit of either.

    Raises Problem 400 (broken encoding), 411, 413 (too large, packed or not), 415 (unknown encoding).
    """
    limit = settings.MAX_PAYLOAD_MB * 1024 * 1024
    named = request.headers.get("Content-Encoding", "").strip().lower()
    if named not in ENCODINGS:
        raise Problem(
            415,
            "unknown-encoding",
            f"Content-Encoding {named!r} is not offered.",
            what_to_do="Use gzip, deflate or zstd.",
        )
    encoding = ENCODINGS[named]
    sent = _read(request, limit)
    try:
        unpacked = payloads.unpack(sent, encoding, limit)
    except payloads.TooLargeError:
        raise _too_large("unpacks to") from None
    except payloads.UndecodableError as error:
        raise Problem(
            400, "broken-encoding", f"The body is not whole {encoding}: {error}.", field="Content-Encoding"
        ) from error
    return Body(sent, encoding, unpacked, request.headers.get("Content-Type", ""))


def _read(request: HttpRequest, limit: int) -> bytes:
    length = request.META.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and int(length) > limit:
        raise _too_large("is")
    chunked = not length and "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    # Django gives a body of unknown length as empty; a server that marks where the stream ends lets us read it.
    stream = request.META["wsgi.input"] if chunked and request.META.get("wsgi.input_terminated") else request
    try:
        body: bytes = stream.read(limit + 1)
    except (UnreadablePostError, RequestDataTooBig) as error:
        raise Problem(400, "broken-body", "The body ended before its announced length. Send it again.") from error
    if len(body) > limit:
        raise _too_large("is")
    if length.isdecimal() and len(body) < int(length):
        raise Problem(400, "broken-body", "The body ended before its announced length. Send it again.")
    return body


def _too_large(verb: str) -> Problem:
    return Problem(
        413,
        "too-large",
        f"The body {verb} more than {settings.MAX_PAYLOAD_MB} MB.",
        limit_mb=settings.MAX_PAYLOAD_MB,
        what_to_do="Send it in parts; files of any size go to /api/v1/imports.",
    )


def require_media_type(body: Body, *allowed: str) -> str:
    """Give the media type without parameters, lower case. Raises Problem 415 when it is none of `allowed`."""
    media_type = body.content_type.partition(";")[0].strip().lower()
    if media_type not in allowed:
        raise Problem(
            415,
            "unknown-media-type",
            f"Content-Type {media_type!r} is not offered.",
            what_to_do=f"Use {', '.join(allowed)}.",
        )
    return media_type


def keep(identity: Identity, kind: str, body: Body, filename: str = "") -> payloads.PayloadFile:
    """
    Scrub a body and lay it down.

    Raises UnreadablePayload when its format cannot be read at all.
    """
    scrubbed = registry.adapter(kind).scrub(body.unpacked, body.content_type, filename or None)
    return keep_scrubbed(identity, body, scrubbed, filename)


def keep_scrubbed(identity: Identity, body: Body, scrubbed: bytes, filename: str = "") -> payloads.PayloadFile:
    """Lay a body down, as sent where nothing had to be dropped from it; its users are counted where that is wanted."""
    users.note(identity, body.unpacked, body.content_type, filename)
    untouched = scrubbed == body.unpacked
    return payloads.from_body(
        body.sent if untouched else scrubbed,
        digest=hashlib.sha256(scrubbed).digest(),
        encoding=body.encoding if untouched else "",
        content_type=body.content_type,
        filename=filename,
        name=payloads.new_name(identity.organization_id, datetime.now(UTC).date(), uuid7(), 1),
    )
