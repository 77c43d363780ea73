"""Send one message by one channel, once. What comes back says whether to try again; nothing is raised for a bad receiver."""

from __future__ import annotations

import html
import http.client
import json
import smtplib
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation

from core.delivery.guard import AddressRefused, NameNotFound, Target, resolved
from core.delivery.kinds import Said, said
from core.delivery.models import Channel, Destination, Message
from core.delivery.signing import headers

CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 10.0
"""Until the answer's first lines are there, however slowly they drip."""
MOST_READ: Final = 2_000
LONGEST_DETAIL: Final = 300
AGENT: Final = "Wattledger-Webhook/1"
GONE: Final = 410


@dataclass(frozen=True)
class Outcome:
    """
    What became of one attempt.

    Args:
        again: whether a later attempt may do better.
        gone: the receiver says that it wants no more.
        wait_s: the receiver asks to be left alone so long.
    """

    succeeded: bool
    detail: str = ""
    http_status: int | None = None
    again: bool = True
    gone: bool = False
    wait_s: float = 0.0


def send(destination: Destination, message: Message, *, organization: str, now: datetime) -> Outcome:
    """Send a message to a destination."""
    with translation.override(destination.language):
        words = said(message.kind, message.data)
        if destination.channel == Channel.EMAIL:
            return _mail(destination, message, words, organization)
    if destination.channel == Channel.SLACK:
        return _post(destination.address, _json(slack_body(words, organization)), {})
    body = _json(webhook_body(message, words, organization))
    signed = headers(
        uid=f"msg_{message.uid.hex}",
        timestamp_s=int(now.timestamp()),
        body=body,
        secrets_in_force=secrets_in_force(destination, now),
    )
    return _post(destination.address, body, signed)


def secrets_in_force(destination: Destination, now: datetime) -> list[bytes]:
    """List the keys that sign now: the present one, and the former one until it ends."""
    found = [bytes(destination.secret or b"")]
    if destination.former_secret is not None and destination.former_until and now < destination.former_until:
        found.append(bytes(destination.former_secret))
    return found


def webhook_body(message: Message, words: Said, organization: str) -> dict[str, Any]:
    """Write what a signed webhook carries."""
    return {
        "id": f"msg_{message.uid.hex}",
        "type": message.kind,
        "occurred_at": message.occurred_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "organization": organization,
        "team": message.team or None,
        "subject": words.subject,
        "text": words.text,
        "link": settings.BASE_URL + words.path,
        "data": message.data,
    }


def slack_body(words: Said, organization: str) -> dict[str, Any]:
    """Write an incoming webhook of Slack; Mattermost and Rocket.Chat read its ``text``."""
    link = settings.BASE_URL + words.path
    subject, text, name = (html.escape(each, quote=False) for each in (words.subject, words.text, organization))
    return {
        "text": f"{subject}\n{text}\n{link}",
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": f"*{subject}*\n{text}"[:3000]}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": f"{name} · <{link}|{link}>"[:3000]}]},
        ],
    }


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


# --- e-mail -----------------------------------------------------------------------------------------------------------


def _mail(destination: Destination, message: Message, words: Said, organization: str) -> Outcome:
    if not settings.EMAIL_CONFIGURED:
        return _failed("No mail server is set: EMAIL_URL is empty.", again=False)
    link = settings.BASE_URL + words.path
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">") or "localhost"
    mail = EmailMultiAlternatives(
        " ".join(words.subject.split()),
        f"{words.text}\n\n{link}\n\n{organization}\n",
        to=[destination.address],
        headers={"Message-ID": f"<{message.uid.hex}@{domain}>", "Auto-Submitted": "auto-generated"},
    )
    context = {"words": words, "link": link, "organization": organization}
    mail.attach_alternative(render_to_string("delivery/message.html", context), "text/html")
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, said_by_server = next(iter(error.recipients.values()))
        return _failed(_short(f"{code} {said_by_server!r}"), again=code < 500)
    except (smtplib.SMTPException, OSError) as error:
        return _failed(_short(f"{type(error).__name__}: {error}"))
    return Outcome(succeeded=True)


# --- webhooks ---------------------------------------------------------------------------------------------------------


def _post(url: str, body: bytes, signed: Mapping[str, str]) -> Outcome:
    try:
        target = resolved(url, settings.WEBHOOK_NETWORKS)
    except AddressRefused as error:
        return _failed(_short(str(error)), again=False)
    except NameNotFound as error:
        return _failed(_short(str(error)))
    try:
        return _posted(target, body, signed)
    except (OSError, http.client.HTTPException) as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
        return _failed(_short(reason))


def _posted(target: Target, body: bytes, signed: Mapping[str, str]) -> Outcome:
    """Post to one of the addresses that were looked at; the certificate must be the name's."""
    plain = _connected(target)
    overdue = threading.Event()

    def give_up() -> None:
        overdue.set()
        with suppress(OSError):
            plain.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(ANSWER_TIMEOUT_S, give_up)
    timer.start()
    connection = http.client.HTTPConnection(target.host, target.port)
    try:
        connection.sock = plain
        if target.secure:
            connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=target.host)
            connection.default_port = 443  # the header names other ports only
        sent = {"Content-Type": "application/json", "User-Agent": AGENT, "Connection": "close", **signed}
        connection.request("POST", target.path, body, sent)
        answer = connection.getresponse()
        return _judged(answer.status, answer.headers.get("Retry-After", ""), answer.read(MOST_READ))
    except (OSError, http.client.HTTPException):
        if overdue.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
        connection.close()
        plain.close()


def _connected(target: Target) -> socket.socket:
    failed: OSError = ConnectionError("no address")
    for address in target.addresses:
        try:
            plain = socket.create_connection((address, target.port), CONNECT_TIMEOUT_S)
        except OSError as error:
            failed = error
            continue
        plain.settimeout(ANSWER_TIMEOUT_S)
        return plain
    raise failed


def _judged(status: int, retry_after: str, answer: bytes) -> Outcome:
    if 200 <= status < 300:
        return Outcome(succeeded=True, http_status=status)
    if 300 <= status < 400:
        return _failed("It answered with another address; redirects are not followed.", status)
    wait_s = float(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 7 else 0.0
    return _failed(
        _short(answer.decode("utf-8", "replace")),
        status,
        gone=status == GONE,
        again=status != GONE,
        wait_s=wait_s,
    )


def _failed(detail: str, http_status: int | None = None, **more: Any) -> Outcome:
    return Outcome(succeeded=False, detail=detail, http_status=http_status, **more)


def _short(text: str) -> str:
    return " ".join(text.replace("\0", "").split())[:LONGEST_DETAIL]
