"""Keep destinations, say what happened, and send it until it has arrived or a day is over."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Q

from core.delivery import signing
from core.delivery.channels import Outcome, send
from core.delivery.guard import AddressRefused, parsed
from core.delivery.kinds import TEST, kinds
from core.delivery.models import Attempt, Channel, Delivery, DeliveryState, Destination, Message
from core.identifiers import uuid7
from core.organizations.models import Organization
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope

log = structlog.get_logger()

LONGEST_NAME: Final = 100
MOST: Final = 100
FORMER_SECRET_LASTS: Final = timedelta(hours=24)
RETRY_AFTER_S: Final = (5, 300, 1_800, 7_200, 18_000, 25_200, 32_400)
"""Waits between attempts, as Standard Webhooks suggests and a day in all."""
LEASE: Final = timedelta(minutes=5)
"""After so long, what a worker began to send is another's."""
SENDING_S: Final = 60.0


class DestinationError(Exception):
    """A destination that cannot be; the message says why, ``field`` what of it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


# --- destinations -----------------------------------------------------------------------------------------------------


def add_destination(
    *,
    organization_id: int,
    name: str,
    channel: str,
    address: str,
    kinds_wanted: Sequence[str] = (),
    team: str = "",
    language: str = "en",
    created_by_id: int | None = None,
) -> tuple[Destination, str]:
    """
    Add a destination; give it, and for a signed webhook its secret, which is shown this once.

    Raises DestinationError.
    """
    name = " ".join(name.replace("\0", "").split())
    if not name or len(name) > LONGEST_NAME:
        raise DestinationError("name", f"Give the destination a name of 1 to {LONGEST_NAME} characters.")
    if channel not in Channel.values:
        raise DestinationError("channel", f"{channel!r} is none of {', '.join(Channel.values)}.")
    if language not in dict(settings.LANGUAGES):
        raise DestinationError("language", f"{language!r} is none of {', '.join(dict(settings.LANGUAGES))}.")
    known = {kind.name for kind in kinds()}
    for kind in kinds_wanted:
        if kind not in known:
            raise DestinationError("kinds", f"There is no kind {kind!r}: use {', '.join(sorted(known))}.")
    address = _checked_address(channel, address)
    secret = signing.new_secret() if channel == Channel.WEBHOOK else None
    with organization_scope(organization_id):
        if Destination.objects.filter(organization_id=organization_id, removed_at__isnull=True).count() >= MOST:
            raise DestinationError("name", f"There are {MOST} destinations: remove one first.")
        try:
            with transaction.atomic():
                destination = Destination.objects.create(
                    organization_id=organization_id,
                    name=name,
                    channel=channel,
                    address=address,
                    kinds=sorted(set(kinds_wanted)),
                    team=team.replace("\0", "").strip(),
                    language=language,
                    secret=secret,
                    created_by_id=created_by_id,
                )
        except IntegrityError as error:
            if "destination_name_once" not in str(error):
                raise
            raise DestinationError("name", f"There is a destination of the name {name!r} already.") from None
        _record("add_destination", destination, after=described(destination))
    return destination, signing.shown(secret) if secret else ""


def rotate_secret(*, organization_id: int, destination_id: int) -> str:
    """
    Give a signed webhook a new secret, shown this once; the former one signs beside it for a day.

    Raises Destination.DoesNotExist where the organization has no such webhook.
    """
    secret = signing.new_secret()
    with organization_scope(organization_id):
        destination = _standing(organization_id, destination_id, channel=Channel.WEBHOOK)
        destination.former_secret = destination.secret
        destination.former_until = datetime.now(UTC) + FORMER_SECRET_LASTS
        destination.secret = secret
        destination.save(update_fields=["secret", "former_secret", "former_until"])
        _record("rotate_secret", destination, after={"name": destination.name})
    return signing.shown(secret)


def pause_destination(*, organization_id: int, destination_id: int, paused: bool) -> Destination:
    """Stop sending to a destination, or go on. What waits is sent then. Raises Destination.DoesNotExist."""
    with organization_scope(organization_id):
        destination = _standing(organization_id, destination_id)
        destination.paused_at = datetime.now(UTC) if paused else None
        destination.save(update_fields=["paused_at"])
        _record("pause_destination" if paused else "resume_destination", destination, after={"name": destination.name})
    return destination


def remove_destination(*, organization_id: int, destination_id: int) -> None:
    """Remove a destination with its secrets; the log stays, what waits is given up. Raises Destination.DoesNotExist."""
    now = datetime.now(UTC)
    with organization_scope(organization_id):
        destination = _standing(organization_id, destination_id)
        before = described(destination)
        destination.removed_at = now
        destination.former_secret = None
        if destination.secret is not None:
            destination.secret = bytes(signing.SECRET_BYTES)
        destination.save(update_fields=["removed_at", "secret", "former_secret"])
        Delivery.objects.filter(
            organization_id=organization_id, destination_id=destination_id, state=DeliveryState.WAITING
        ).update(state=DeliveryState.FAILED, ended_at=now)
        _record("remove_destination", destination, before=before)


def send_test(*, organization_id: int, destination_id: int) -> Message:
    """Have a message sent to one destination that says that messages arrive. Raises Destination.DoesNotExist."""
    now = datetime.now(UTC)
    with organization_scope(organization_id):
        destination = _standing(organization_id, destination_id)
        organization = Organization.objects.get(id=organization_id)
        uid = uuid7()
        message = Message.objects.create(
            organization_id=organization_id,
            uid=uid,
            kind=TEST,
            key=f"test-{uid.hex}",
            data={"destination": destination.name, "organization": organization.name},
            occurred_at=now,
        )
        Delivery.objects.create(organization_id=organization_id, message=message, destination=destination, next_at=now)
        _record("send_test", destination, after={"name": destination.name})
    return message


def described(destination: Destination) -> dict[str, Any]:
    """Write a destination as the audit log keeps it: never a secret, and of a URL only where it leads."""
    return {
        "name": destination.name,
        "channel": destination.channel,
        "address": shown_address(destination),
        "kinds": list(destination.kinds),
        "team": destination.team,
        "language": destination.language,
    }


def shown_address(destination: Destination) -> str:
    """Write where a destination leads: of a URL not its path, in which incoming webhooks carry their secret."""
    if destination.channel == Channel.EMAIL:
        return destination.address
    target = parsed(destination.address)
    return f"{'https' if target.secure else 'http'}://{target.host}/…"


def _checked_address(channel: str, address: str) -> str:
    address = address.strip()
    if channel == Channel.EMAIL:
        try:
            validate_email(address)
        except ValidationError:
            raise DestinationError("address", "This is no e-mail address.") from None
        return address
    try:
        target = parsed(address)
    except AddressRefused as error:
        raise DestinationError("address", str(error)) from None
    if not target.secure and not settings.WEBHOOK_NETWORKS:
        raise DestinationError("address", "Give a URL that begins with https://.")
    return address


def _standing(organization_id: int, destination_id: int, **wanted: str) -> Destination:
    return Destination.objects.select_for_update().get(
        organization_id=organization_id, id=destination_id, removed_at__isnull=True, **wanted
    )


def _record(
    action: str,
    destination: Destination,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
) -> None:
    record_event(
        organization_id=destination.organization_id,
        action=action,
        object_type="destination",
        object_id=destination.pk,
        before=before,
        after=after,
        reason=reason,
    )


# --- messages ---------------------------------------------------------------------------------------------------------


def announce(
    *,
    organization_id: int,
    kind: str,
    key: str,
    data: Mapping[str, Any],
    team: str = "",
    occurred_at: datetime | None = None,
) -> Message | None:
    """
    Say that something happened, to every destination that wants to know; the door wakes a worker.

    Args:
        key: what it is about: a second message of the same key is none.
        data: plain values that the kind's words are made of.

    Returns:
        The message, None where it was said before.
    """
    now = occurred_at or datetime.now(UTC)
    with organization_scope(organization_id):
        message, created = Message.objects.get_or_create(
            organization_id=organization_id,
            key=key,
            defaults={"uid": uuid7(), "kind": kind, "team": team, "data": dict(data), "occurred_at": now},
        )
        if not created:
            return None
        wanting = Destination.objects.filter(
            Q(kinds=[]) | Q(kinds__contains=[kind]),
            Q(team="") | Q(team=team),
            organization_id=organization_id,
            removed_at__isnull=True,
        )
        Delivery.objects.bulk_create(
            Delivery(organization_id=organization_id, message=message, destination=destination, next_at=now)
            for destination in wanting.order_by("id")
        )
    return message


def deliver_due(organization_id: int, *, now: datetime | None = None) -> dict[str, int]:
    """
    Send what is due of an organization, one after the other, for a minute at most.

    Each attempt is claimed in a transaction of its own and sent outside of any: a worker that is lost in between leaves it
    to be sent again under the same id, by which receivers know it.
    """
    done = {"delivered": 0, "retried": 0, "failed": 0}
    until = time.monotonic() + SENDING_S
    while time.monotonic() < until:
        moment = now or datetime.now(UTC)
        claimed = _claim(organization_id, moment)
        if claimed is None:
            break
        delivery, organization = claimed
        started = time.monotonic()
        outcome = send(delivery.destination, delivery.message, organization=organization, now=moment)
        done[_settle(delivery, outcome, moment, time.monotonic() - started)] += 1
    return done


def _claim(organization_id: int, now: datetime) -> tuple[Delivery, str] | None:
    with organization_scope(organization_id):
        delivery = (
            Delivery.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("message", "destination")
            .filter(
                organization_id=organization_id,
                state=DeliveryState.WAITING,
                next_at__lte=now,
                destination__paused_at__isnull=True,
            )
            .order_by("next_at", "id")
            .first()
        )
        if delivery is None:
            return None
        delivery.tries += 1
        delivery.next_at = now + LEASE
        delivery.save(update_fields=["tries", "next_at"])
        return delivery, Organization.objects.values_list("name", flat=True).get(id=organization_id)


def _settle(delivery: Delivery, outcome: Outcome, now: datetime, took_s: float) -> str:
    """Write down what became of an attempt, and when the next one is."""
    if not outcome.succeeded and delivery.tries > len(RETRY_AFTER_S):
        outcome = replace(outcome, again=False)
    with organization_scope(delivery.organization_id):
        Attempt.objects.create(
            organization_id=delivery.organization_id,
            delivery=delivery,
            number=delivery.tries,
            began_at=now,
            took_s=took_s,
            succeeded=outcome.succeeded,
            http_status=outcome.http_status,
            detail=outcome.detail,
        )
        # one that another worker took over meanwhile is that one's
        own = Delivery.objects.filter(
            organization_id=delivery.organization_id,
            id=delivery.id,
            state=DeliveryState.WAITING,
            tries=delivery.tries,
        )
        if outcome.succeeded:
            own.update(state=DeliveryState.DELIVERED, ended_at=now)
            return "delivered"
        if outcome.again:
            own.update(next_at=now + timedelta(seconds=_wait_s(delivery.tries, outcome.wait_s)))
            return "retried"
        own.update(state=DeliveryState.FAILED, ended_at=now)
        if outcome.gone:
            _pause_gone(delivery.destination)
        log.warning("message given up", delivery=delivery.id, tries=delivery.tries, status=outcome.http_status)
        return "failed"


def _wait_s(tries: int, asked_s: float) -> float:
    """Give the wait after an attempt: a tenth more or less, so that many do not come at once, and what the receiver asks."""
    wait_s = RETRY_AFTER_S[tries - 1]
    return max(wait_s * random.uniform(0.9, 1.1), min(asked_s, RETRY_AFTER_S[-1]))  # noqa: S311  (no secret)


def _pause_gone(destination: Destination) -> None:
    """A receiver that answers 410 wants no more; somebody may resume it."""
    Destination.objects.filter(organization_id=destination.organization_id, id=destination.id).update(
        paused_at=datetime.now(UTC)
    )
    _record("pause_destination", destination, after={"name": destination.name}, reason="The receiver answers 410 Gone.")
