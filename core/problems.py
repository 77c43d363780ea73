"""RFC 9457 problem documents: what every address answers when it cannot do what was asked."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as rest_exception_handler

TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Not processable",
    429: "Too many requests",
    500: "Internal error",
    501: "Not offered",
    503: "Busy",
}
PROGRAM_PATHS = ("/api/", "/otlp/", "/codecarbon/")


class Problem(exceptions.APIException):
    """Raised inside an API view: becomes a problem document with a stable ``type``."""

    def __init__(self, status: int, kind: str, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.status_code = status
        self.kind = kind
        self.members = members


def document(status: int, kind: str, detail: str, **members: Any) -> dict[str, Any]:
    """Build the members of a problem document; ``type`` is a stable URN."""
    body = {"type": f"urn:wattledger:problem:{kind}", "title": TITLES[status], "status": status, "detail": detail}
    return body | {name: value for name, value in members.items() if value is not None}


def problem(status: int, kind: str, detail: str, **members: Any) -> JsonResponse:
    """Answer with a problem document; ``members`` such as ``field`` and ``what_to_do`` are added to it."""
    response = JsonResponse(
        document(status, kind, detail, **members), status=status, content_type="application/problem+json"
    )
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="wattledger"'
    if status in {429, 503}:
        response["Retry-After"] = "5"
    return response


def for_programs(request: HttpRequest) -> bool:
    """Tell whether a program asks, to be answered with a document: by its address, or by the token it carries."""
    return request.path.startswith(PROGRAM_PATHS) or request.headers.get("Authorization", "").startswith("Bearer ")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that cannot be read at all."""
    if for_programs(request):
        return problem(400, "bad-request", "The request cannot be read.")
    return defaults.bad_request(request, exception)


def not_allowed(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403 with the roles that may."""
    if for_programs(request):
        return problem(403, "not-allowed", str(exception) or "Your role or token does not allow this.")
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404, for what is not there and for what is another organization's."""
    if for_programs(request):
        return problem(404, "not-found", "There is nothing here, or not for you.")
    return defaults.page_not_found(request, exception)


def failed(request: HttpRequest) -> HttpResponse:
    """Answer a fault of ours."""
    if for_programs(request):
        request_id = getattr(request, "request_id", None)
        return problem(500, "internal-error", "This failed, and nothing was changed.", request_id=request_id)
    return defaults.server_error(request)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form without its secret: mostly one that was open since before signing in."""
    detail = "This form is too old, or cookies are switched off. Go back, load the page anew and send it again."
    if for_programs(request):
        return problem(403, "csrf", f"{detail} ({reason})")
    return render(request, "403.html", {"exception": detail}, status=403)


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | Response | None:
    """Turn what API views raise into problem documents."""
    if isinstance(error, Problem):
        return problem(error.status_code, error.kind, str(error.detail), **error.members)
    if isinstance(error, Http404):
        return problem(404, "not-found", "There is nothing here, or not for you.")
    if isinstance(error, PermissionDenied):
        return problem(403, "not-allowed", str(error) or "Your role or token does not allow this.")
    response = rest_exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, exceptions.ValidationError):
        return problem(400, "bad-request", "Some parameters cannot be read.", errors=response.data)
    detail = response.data.get("detail", "") if isinstance(response.data, dict) else ""
    kind = getattr(error, "default_code", "error").replace("_", "-")
    answer = problem(response.status_code, kind, str(detail))
    for header in ("Allow", "Retry-After"):
        if response.has_header(header):
            answer[header] = response[header]
    return answer
