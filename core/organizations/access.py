"""The door-keeper of pages: sign in first, then a role that may, else 403 with the roles that may."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from core.organizations.policy import Action, may, roles_that_may

View = Callable[..., HttpResponse]


def requires(action: Action) -> Callable[[View], View]:
    """
    Let a view be seen only by those whose role or token allows an action.

    Strangers are sent to sign in; a person without any organization is told so; everybody else gets 403.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            identity = getattr(request, "identity", None)
            if identity is None:
                if request.user.is_authenticated:
                    return render(request, "no_organization.html", status=403)
                return redirect_to_login(request.get_full_path())
            if not may(identity, action):
                raise PermissionDenied(f"This page is for: {', '.join(roles_that_may(action))}.")
            return view(request, *args, **kwargs)

        guarded.action_needed = action  # type: ignore[attr-defined]
        return guarded

    return decorate
