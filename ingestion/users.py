"""Finding users in what senders push, for the organizations that count them; see core.organizations.user_counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]  # protobuf ships no stubs

from core.organizations.identity import Identity
from core.organizations.user_counts import note_users, secret_of
from ingestion.sources import otlp_wire
from ingestion.sources.base import UnreadablePayload

USER: Final = (
    *("enduser.id", "user.id", "user_id", "end_user", "user", "user_api_key_user_id", "user_email", "user_name"),
    *("username", "email", "mail"),
)
"""Keys that name a user, the most telling first: of one object one counts."""
TEAM: Final = ("wattledger.team", "team", "service.namespace", "k8s.namespace.name")
ABOUT: Final = ("labels", "metadata", "attributes", "resource")
DEPTH: Final = 16


def note(identity: Identity, body: bytes, content_type: str, filename: str) -> None:
    """Note the users of a push, as it came, where the organization counts them. What cannot be read has none."""
    if secret_of(identity.organization_id) is None:
        return
    values = _decoded(body, content_type, filename)
    seen = {each for value in values for each in found(value, identity.team)}
    if identity.team_only:
        seen = {(team, user) for team, user in seen if team.casefold() == identity.team.casefold()}
    note_users(identity.organization_id, seen, datetime.now(UTC))


def _decoded(body: bytes, content_type: str, filename: str) -> list[Any]:
    if "protobuf" in content_type:
        if filename != "traces":
            return []
        try:
            return [MessageToDict(otlp_wire.decode_protobuf(body, "traces"))]
        except UnreadablePayload:
            return []
    try:
        if body.lstrip()[:1] == b"{" and b"\n{" in body:
            return msgspec.json.Decoder().decode_lines(body)
        return [msgspec.json.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def found(value: Any, team: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """
    Find team and user of every object of a JSON value; an object without a team has that of the one around it.

    >>> list(found({"team": "nlp", "calls": [{"user": "ada"}, {"attributes": [{"key": "user.id", "value": "bo"}]}]}, ""))
    [('nlp', 'ada'), ('nlp', 'bo')]
    """
    if depth > DEPTH:
        return
    if isinstance(value, list):
        if pairs := _pairs(value):
            yield from found(pairs, team, depth + 1)
            return
        for item in value:
            yield from found(item, team, depth + 1)
    elif isinstance(value, dict):
        team = _team(value) or team
        user = next((text for key in USER if (text := _scalar(value.get(key)))), "")
        if user:
            yield team, user
        for item in value.values():
            if isinstance(item, dict | list):
                yield from found(item, team, depth + 1)


def _team(value: dict[str, Any]) -> str:
    for holder in (value, *(value.get(name) for name in ABOUT)):
        if isinstance(holder, dict) and isinstance(holder.get("attributes"), list):
            holder = {**holder, **_pairs(holder["attributes"])}
        if isinstance(holder, list):
            holder = _pairs(holder)
        if isinstance(holder, dict):
            for key in TEAM:
                if text := _scalar(holder.get(key)):
                    return text[:200]
    return ""


def _pairs(value: list[Any]) -> dict[str, Any]:
    """Make an object of a list of attributes, {} of any other list."""
    if not value or not all(isinstance(item, dict) and "key" in item and "value" in item for item in value):
        return {}
    return {str(item["key"]): _plain(item["value"]) for item in value}


def _plain(value: Any) -> Any:
    return next(iter(value.values()), None) if isinstance(value, dict) and len(value) == 1 else value


def _scalar(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
