"""How REST views learn who asks: the middleware has settled it, they read it."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from core.organizations.identity import Identity
from core.organizations.policy import Action, may, roles_that_may


class RequestIdentity(BaseAuthentication):
    """Pass on ``request.identity``; a session must show its CSRF token on writes, a token need not."""

    def authenticate(self, request: Request) -> tuple[Identity, None] | None:
        identity: Identity | None = getattr(request._request, "identity", None)
        if identity is None:
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


class HasIdentity(BasePermission):
    """Only for somebody: a signed-in member or a token. A view's ``action_needed`` narrows it further."""

    def has_permission(self, request: Request, view: Any) -> bool:
        identity = request.user
        if not isinstance(identity, Identity):
            return False
        needed: Action | None = getattr(view, "action_needed", None)
        if needed is None or may(identity, needed):
            return True
        self.message = (
            f"This needs the right {needed.value}: {', '.join(roles_that_may(needed)) or 'no role'} or a token."
        )
        return False
