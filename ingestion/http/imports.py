"""POST /api/v1/imports: billing exports and logs as files of any size, by people and scripts."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from rest_framework.authentication import CSRFCheck

from core.organizations.identity import Identity
from core.organizations.policy import Action, may, roles_that_may
from core.problems import Problem
from ingestion import uploads, wake
from ingestion.http.activity import answer, idempotency_key, seconds_to_wait
from ingestion.http.doors import door
from ingestion.services import accept_files

MOST_FILES = 1000
TRUE = {"1", "true", "yes", "on"}


@door("POST", session=True)
def post_import(request: HttpRequest) -> HttpResponse:
    """Take the files of one delivery: 202 with the batch under which its progress is seen."""
    identity = importer(request)
    wait_s = seconds_to_wait(request)
    key = idempotency_key(request)
    files = uploaded_files(request)
    check_csrf(request, identity)
    accepted = accept_files(
        identity=identity,
        given=[uploads.from_form(file) for file in files],
        wanted=request.POST.get("source", ""),
        source_name=request.POST.get("name", ""),
        dry_run=request.POST.get("dry_run", "").lower() in TRUE,
        idempotency_key=key,
    )
    wake.drain(identity.organization_id)
    return answer(identity, accepted, wait_s)


def importer(request: HttpRequest) -> Identity:
    """Find out who uploads: a token that may send, or a person who may manage sources."""
    identity: Identity | None = request.identity  # type: ignore[attr-defined]  # set by the middleware
    if identity is None:
        raise Problem(401, "no-token", "Sign in, or send a token of scope ingest.")
    if not (may(identity, Action.INGEST) or may(identity, Action.MANAGE_SOURCES)):
        needed = f"a role ({', '.join(roles_that_may(Action.MANAGE_SOURCES))}) or a token of scope ingest"
        raise Problem(403, "not-allowed", f"Importing files needs {needed}.")
    return identity


def uploaded_files(request: HttpRequest) -> list[UploadedFile[Any]]:
    """Stream the form's files to the disk. Raises Problem 400 (no form, no file) or 415."""
    if not request.content_type == "multipart/form-data":
        raise Problem(415, "unknown-media-type", "Send a form: Content-Type multipart/form-data.", field="file")
    request.upload_handlers = [TemporaryFileUploadHandler(request)]
    try:
        files = request.FILES.getlist("file")
    except (MultiPartParserError, OSError) as error:
        raise Problem(400, "broken-body", f"The form cannot be read: {error}", field="file") from error
    if not files:
        raise Problem(
            400, "no-file", "The form has no file.", field="file", what_to_do="Put the export into the part `file`."
        )
    if len(files) > MOST_FILES:
        raise Problem(400, "too-many-files", f"One delivery has at most {MOST_FILES} files.", field="file")
    return files


def check_csrf(request: HttpRequest, identity: Identity) -> None:
    """Hold a person's session to its CSRF token; a bearer token needs none. Raises Problem 403."""
    if identity.person_id is None:
        return
    check = CSRFCheck(lambda _: HttpResponse())
    check.process_request(request)
    reason: Any = check.process_view(request, lambda _: HttpResponse(), (), {})
    if reason:
        raise Problem(403, "csrf", f"CSRF failed: {reason}")
