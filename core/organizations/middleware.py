"""
Who asks, and for which organization: settled once, before any view.

``request.identity`` is a person's membership or a token, or None. A view runs inside the organization's scope, in one
transaction that is rolled back when the answer is an error (4xx or 5xx). A door that must commit before it answers is marked
``own_scope``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.utils.functional import SimpleLazyObject

from core.identifiers import uuid7
from core.organizations import selectors, services
from core.organizations.identity import SYSTEM, Actor, Identity, act_as
from core.organizations.tenancy import organization_scope, organization_snapshot, person_scope
from core.problems import problem

Respond = Callable[[HttpRequest], HttpResponse]
View = TypeVar("View", bound=Callable[..., Any])
SESSION_KEY = "organization"


def own_scope(view: View) -> View:
    """Mark a view that opens its organization's scope itself, because it commits before it answers."""
    view.own_scope = True  # type: ignore[attr-defined]
    return view


def one_snapshot(view: View) -> View:
    """Mark a view that only reads, and whose figures have to be of one moment though they take many statements."""
    view.one_snapshot = True  # type: ignore[attr-defined]
    return view


def own_identity(view: View) -> View:
    """Mark a door that finds out itself who asks: its protocol has its own place for the token and its own errors."""
    view.own_identity = True  # type: ignore[attr-defined]
    return own_scope(view)


def request_context(respond: Respond) -> Respond:
    """Give each request an id, and its log lines with it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.request_id = str(uuid7())  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=request.request_id)  # type: ignore[attr-defined]
        act_as(SYSTEM)
        try:
            response = respond(request)
        finally:
            act_as(SYSTEM)  # what this thread does next is not theirs
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response

    return middleware


def organization(respond: Respond) -> Respond:
    """Find the identity behind a request and open its organization's scope around the view."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.identity = None  # type: ignore[attr-defined]
        request.memberships = []  # type: ignore[attr-defined]
        if is_marked(request, "own_identity"):
            return respond(request)
        secret = bearer(request)
        if secret is not None:
            try:
                identity = services.authenticate_token(
                    secret,
                    request_id=request.request_id,  # type: ignore[attr-defined]
                    address=request.META.get("REMOTE_ADDR", ""),
                )
            except (OperationalError, InterfaceError):
                return problem(503, "busy", "The ledger cannot be reached just now. Try again.")
            if identity is None:
                return problem(
                    401,
                    "unknown-token",
                    "This token is unknown, expired or revoked.",
                    what_to_do="Issue a new one in Settings, or with manage.py create_token.",
                )
            attach_organization(request, identity)
        else:
            identity = identity_of_person(request)
        if identity is None:
            return respond(request)
        request.identity = identity  # type: ignore[attr-defined]
        act_as(identity.actor)
        structlog.contextvars.bind_contextvars(organization=identity.organization_id)
        if is_marked(request, "own_scope"):
            return respond(request)
        opened = organization_snapshot if is_marked(request, "one_snapshot") else organization_scope
        with opened(identity.organization_id):
            response = respond(request)
            if response.status_code >= 400:
                transaction.set_rollback(True)
        return response

    return middleware


def bearer(request: HttpRequest) -> str | None:
    """Read the token of ``Authorization: Bearer``, if the request carries one."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def attach_organization(request: HttpRequest, identity: Identity) -> None:
    """
    Give pages the organization of a token, read when it is used.

    Raises Http404 when ``?org=`` names another: a token belongs to one.
    """
    request.organization = SimpleLazyObject(  # type: ignore[attr-defined]
        lambda: selectors.organization_by_id(identity.organization_id)
    )
    asked = request.GET.get("org")
    if asked and asked != request.organization.slug:  # type: ignore[attr-defined]
        raise Http404


def is_marked(request: HttpRequest, mark: str) -> bool:
    """Tell whether the view behind an address is marked ``own_scope``, ``own_identity`` or ``one_snapshot``."""
    try:
        view: Any = resolve(request.path_info).func
    except Resolver404:
        return False
    return bool(getattr(view, mark, False) or getattr(getattr(view, "cls", None), mark, False))


def identity_of_person(request: HttpRequest) -> Identity | None:
    """
    Read which of their organizations a signed-in person looks at: ``?org=``, else the last one, else the oldest.

    Raises Http404 for an ``?org=`` that is not theirs, whether or not it exists: figures of another would mislead.
    """
    person = request.user
    if not person.is_authenticated:
        return None
    with person_scope(person.pk):
        memberships = list(selectors.memberships_of(person.pk, datetime.now(UTC).date()))
    request.memberships = memberships  # type: ignore[attr-defined]
    if not memberships:
        return None
    by_slug = {membership.organization.slug: membership for membership in memberships}
    latest = request.session.get(SESSION_KEY, "")
    asked = request.GET.get("org", "")
    if asked and asked not in by_slug:
        raise Http404
    membership = by_slug.get(asked or latest, memberships[0])
    if asked and asked != latest:
        request.session[SESSION_KEY] = asked
    request.organization = membership.organization  # type: ignore[attr-defined]
    request.membership = membership  # type: ignore[attr-defined]
    return Identity(
        organization_id=membership.organization_id,
        actor=Actor(
            "person",
            str(person.pk),
            str(person),
            request.request_id,  # type: ignore[attr-defined]
            request.META.get("REMOTE_ADDR", ""),
        ),
        role=membership.role,
        person_id=person.pk,
        team=selectors.team_name(membership),
    )
