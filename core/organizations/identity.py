"""Who is asking: the same few facts for a person in a session, a token at a door, and a job of the system."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Actor:
    """Who an audit event names."""

    kind: str  # person, token, system
    id: str = ""
    name: str = ""
    request_id: str = ""
    address: str = ""


SYSTEM = Actor("system", name="system")

_actor: ContextVar[Actor] = ContextVar("wattledger_actor", default=SYSTEM)


def current_actor() -> Actor:
    """Tell on whose behalf this request or task runs; the system's, unless a door has said otherwise."""
    return _actor.get()


def act_as(actor: Actor) -> None:
    """Say on whose behalf the rest of this request or task runs."""
    _actor.set(actor)


@dataclass(frozen=True)
class Identity:
    """A person within one organization, or a token of it, and what narrows them."""

    organization_id: int
    actor: Actor
    role: str = ""  # of a person
    scopes: frozenset[str] = field(default_factory=frozenset)  # of a token
    person_id: int | None = None
    token_id: int | None = None
    team: str = ""  # own team of a person; the team that a token is narrowed to
    team_only: bool = False  # of a token: what it sends is of that team and no other
    project: str = ""
    stage: str = ""
    source: str = ""
    source_id: int | None = None  # the one connection that a token writes as
