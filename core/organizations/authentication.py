"""How REST views learn who asks: the middleware has settled it, they read it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from core.organizations.identity import Identity
from core.organizations.policy import Action, may, refusal


class RequestIdentity(BaseAuthentication):
    """Pass on ``request.identity``; a session must show its CSRF token on writes, a token need not."""

    def authenticate(self, request: Request) -> tuple[Identity, None] | None:
        identity: Identity | None = getattr(request._request, "identity", None)
        if identity is None:
            if request._request.user.is_authenticated:
                raise PermissionDenied(
                    "You are signed in, but belong to no organization, or no longer: ask an admin of yours."
                )
            return None
        if identity.person_id is not None:
            check = CSRFCheck(lambda _: None)  # type: ignore[arg-type]
            check.process_request(request._request)
            reason = check.process_view(request._request, None, (), {})  # type: ignore[arg-type]
            if reason:
                raise PermissionDenied(f"CSRF failed: {reason}")
        return identity, None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="wattledger"'


class IdentityScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    """How the OpenAPI document names it."""

    target_class = RequestIdentity
    name = ["token", "session"]  # noqa: RUF012  (declared so by its base)

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:
        return [{"token": []}, {"session": []}]  # either

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [
            {"type": "http", "scheme": "bearer", "description": "An API token: wl_<organization>_<secret>"},
            {
                "type": "apiKey",
                "in": "cookie",
                "name": "sessionid",
                "description": "Somebody signed in; writes need X-CSRFToken",
            },
        ]


class HasIdentity(BasePermission):
    """Only for somebody: a signed-in member or a token. A view's ``action_needed`` narrows it further."""

    def has_permission(self, request: Request, view: Any) -> bool:
        identity = request.user
        if not isinstance(identity, Identity):
            return False
        needed: Action | None = getattr(view, "action_needed", None)
        if needed is None or may(identity, needed):
            return True
        self.message = refusal(identity, needed)
        return False
