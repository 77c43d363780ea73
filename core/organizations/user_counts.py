"""
Counting distinct users of a team and month without keeping who they are (docs/adr/0016).

Off unless one person asks for it with a purpose and another, whose role allows it too, approves. Then doors hash each user
with a secret of the organization, the month and the team; when the month is over the hashes become a number and are
deleted, and the secret is drawn anew. Nothing of it is on records, and nothing reads the hashes but the count.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final

from django.db import IntegrityError, connection, transaction

from core.organizations.models import Membership, Person, UserCount, UserCounting, UserSeen
from core.organizations.policy import ALLOWED, Action
from core.organizations.services import OrganizationError, record_event
from core.organizations.tenancy import organization_scope

REMEMBERED_S: Final = 30.0
"""A door asks this often whether an organization counts users; what it hashes meanwhile is not stored once it is off."""

HASH_BYTES: Final = 16
SECRET_BYTES: Final = 32

_remembered: dict[int, tuple[float, bytes | None]] = {}


def counting_of(organization_id: int) -> UserCounting | None:
    """Give the request or decision in force, None when users are not counted and nobody has asked to."""
    with organization_scope(organization_id):
        return (
            UserCounting.objects.filter(organization_id=organization_id, ended_at__isnull=True)
            .select_related("requested_by", "approved_by")
            .first()
        )


def request_user_counts(*, organization_id: int, purpose: str, person: Person) -> UserCounting:
    """Ask that users be counted; nothing is until somebody else approves. Raises OrganizationError."""
    if len(purpose.strip()) < 10:
        raise OrganizationError("State the purpose in a sentence: those who are counted can read it.")
    with organization_scope(organization_id):
        _require_right(organization_id, person)
        try:
            with transaction.atomic():
                counting = UserCounting.objects.create(
                    organization_id=organization_id,
                    purpose=purpose.strip(),
                    requested_by=person,
                    requested_at=datetime.now(UTC),
                )
        except IntegrityError as error:
            raise OrganizationError("Users are counted already, or somebody has asked for it.") from error
        _event(counting, "request_user_counts", purpose=counting.purpose)
    return counting


def approve_user_counts(*, organization_id: int, person: Person) -> UserCounting:
    """Approve what another person asked for; doors count from now on. Raises OrganizationError."""
    with organization_scope(organization_id):
        _require_right(organization_id, person)
        counting = _open(organization_id)
        if counting.approved_by_id is not None:
            raise OrganizationError("It is approved already.")
        if counting.requested_by_id == person.id:
            raise OrganizationError("Whoever asked for it cannot approve it: it needs a second person.")
        counting.approved_by, counting.approved_at = person, datetime.now(UTC)
        counting.secret = secrets.token_bytes(SECRET_BYTES)
        counting.save(update_fields=["approved_by", "approved_at", "secret"])
        _event(counting, "approve_user_counts", purpose=counting.purpose)
    _remembered.pop(organization_id, None)
    return counting


def end_user_counts(*, organization_id: int, reason: str = "") -> None:
    """Stop counting, or take a request back: hashes and their secret are deleted, counts of past months stay."""
    with organization_scope(organization_id):
        counting = _open(organization_id)
        counting.ended_at, counting.secret = datetime.now(UTC), None
        counting.save(update_fields=["ended_at", "secret"])
        deleted, _ = UserSeen.objects.filter(organization_id=organization_id).delete()
        _event(counting, "end_user_counts", reason=reason, hashes_deleted=deleted)
    _remembered.pop(organization_id, None)


def _open(organization_id: int) -> UserCounting:
    counting = (
        UserCounting.objects.select_for_update().filter(organization_id=organization_id, ended_at__isnull=True).first()
    )
    if counting is None:
        raise OrganizationError("Users are not counted, and nobody has asked for it.")
    return counting


def _require_right(organization_id: int, person: Person) -> None:
    today = datetime.now(UTC).date()
    membership = Membership.objects.filter(organization_id=organization_id, person=person).first()
    active = membership is not None and person.is_active and (membership.ends_on is None or membership.ends_on >= today)
    if membership is None or not active or Action.MANAGE_PEOPLE not in ALLOWED[membership.role]:
        raise OrganizationError("This takes an active person whose role manages people.")


def _event(counting: UserCounting, action: str, reason: str = "", **after: object) -> None:
    record_event(
        organization_id=counting.organization_id,
        action=action,
        object_type="user_counting",
        object_id=counting.id,
        after=after,
        reason=reason,
    )


# --- counting ---------------------------------------------------------------------------------------------------------


def secret_of(organization_id: int) -> bytes | None:
    """Give the key of an organization's hashes, None where users are not counted; remembered for a while."""
    asked_at, known = _remembered.get(organization_id, (float("-inf"), None))
    if time.monotonic() - asked_at > REMEMBERED_S:
        counting = counting_of(organization_id)
        known = None if counting is None or counting.secret is None else bytes(counting.secret)
        _remembered[organization_id] = (time.monotonic(), known)
    return known


def note_users(organization_id: int, seen: Iterable[tuple[str, str]], now: datetime) -> None:
    """
    Remember, unnamed, that users of teams were seen.

    Args:
        seen: team, user; neither is stored but the team.
        now: UTC; its month is counted.
    """
    secret = secret_of(organization_id)
    if secret is None:
        return
    month = now.date().replace(day=1)
    rows = sorted({(team, user_hash(secret, month, team, user)) for team, user in seen})
    if not rows:
        return
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "insert into organizations_user_seen (organization_id, month, team, hash)"
            " select %s, %s, given.team, given.hash from unnest(%s::text[], %s::bytea[]) as given (team, hash)"
            " where exists (select from organizations_user_counting where organization_id = %s and secret = %s)"
            " on conflict do nothing",
            [organization_id, month, [team for team, _ in rows], [each for _, each in rows], organization_id, secret],
        )


def user_hash(secret: bytes, month: date, team: str, user: str) -> bytes:
    """
    Hash a user so that neither months nor teams can be linked.

    >>> user_hash(b"k", date(2026, 11, 1), "nlp", "ada") == user_hash(b"k", date(2026, 12, 1), "nlp", "ada")
    False
    """
    text = "\x1f".join((month.isoformat(), team, user.strip().lower()))
    return hmac.new(secret, text.encode(), hashlib.sha256).digest()[:HASH_BYTES]


def count_past_months(organization_id: int, now: datetime) -> int:
    """Turn the hashes of months that are over into numbers, delete them, and draw a new secret; give how many went."""
    this_month = now.date().replace(day=1)
    with organization_scope(organization_id), connection.cursor() as cursor:
        past = UserSeen.objects.filter(organization_id=organization_id, month__lt=this_month)
        if not past.exists():
            return 0
        cursor.execute(
            "insert into organizations_user_count (organization_id, month, team, users)"
            " select organization_id, month, team, count(*) from organizations_user_seen"
            " where organization_id = %s and month < %s group by organization_id, month, team"
            " on conflict (organization_id, month, team) do update set users = excluded.users",
            [organization_id, this_month],
        )
        deleted, _ = past.delete()
        # Hashes of the month that has begun lose their key: from here on its users are counted anew.
        UserSeen.objects.filter(organization_id=organization_id).delete()
        UserCounting.objects.filter(organization_id=organization_id, secret__isnull=False).update(
            secret=secrets.token_bytes(SECRET_BYTES)
        )
    _remembered.pop(organization_id, None)
    return deleted


def counts(organization_id: int, minimum: int, months: int = 12) -> list[UserCount]:
    """List the counts of the latest months, the newest first; teams under the minimum group size are left out."""
    with organization_scope(organization_id):
        rows = UserCount.objects.filter(organization_id=organization_id, users__gte=minimum)
        latest = sorted(set(rows.values_list("month", flat=True)), reverse=True)[:months]
        return list(rows.filter(month__in=latest).order_by("-month", "team"))
