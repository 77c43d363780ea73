"""The door-keeper of pages: sign in first, then a role that may, else 403 with the roles that may."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext
from django_htmx.http import HttpResponseClientRedirect

from core.organizations.policy import Action, is_narrowed_away, may, refusal, roles_that_may

View = Callable[..., HttpResponse]
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def requires(action: Action) -> Callable[[View], View]:
    """
    Let a view be seen only by those whose role or token allows an action.

    Strangers are sent to sign in; a person without any organization is told so; everybody else gets 403. Tokens may look,
    not fill in forms: what they write goes through the API, where the audit log has no person to name.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            identity = getattr(request, "identity", None)
            if identity is None:
                if request.user.is_authenticated:
                    return render(request, "no_organization.html", status=403)
                return to_login(request)
            if not may(identity, action):
                if is_narrowed_away(identity, action):
                    raise PermissionDenied(refusal(identity, action))
                roles = ", ".join(roles_that_may(action))
                raise PermissionDenied(gettext("This page is for: %(roles)s.") % {"roles": roles})
            if identity.person_id is None and request.method not in SAFE_METHODS:
                raise PermissionDenied("Forms are for people who sign in; a token writes through /api/v1/.")
            response = view(request, *args, **kwargs)
            if not response.has_header("Cache-Control"):
                patch_cache_control(response, private=True, no_cache=True)
            return response

        guarded.action_needed = action  # type: ignore[attr-defined]
        return guarded

    return decorate


def to_login(request: HttpRequest) -> HttpResponse:
    """Send a stranger to sign in and then back here; after a form, which is lost, to the overview."""
    if getattr(request, "htmx", False):  # htmx would put the whole login page where a part belongs
        here = request.htmx.current_url_abs_path or "/"  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(redirect_to_login(here).url)
    return redirect_to_login(request.get_full_path() if request.method in SAFE_METHODS else "/")
