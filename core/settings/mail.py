"""The mail server, and which private networks webhooks may reach."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

SCHEMES = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed in, and whom it is from; without a host there is none."""

    sender: str
    host: str = ""
    port: int = 25
    user: str = ""
    password: str = ""
    starts_tls: bool = False
    is_tls: bool = False


def mail_server(url: str, base_url: str) -> MailServer:
    """
    Read ``smtp+tls://user:password@host:587?from=name@example.org``.

    ``smtp+tls`` begins in the open and turns to TLS, ``smtps`` is encrypted from the start, ``smtp`` never. Empty: no mail.
    """
    sender = f"wattledger@{urlsplit(base_url).hostname or 'localhost'}"
    if not url:
        return MailServer(sender)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ImproperlyConfigured(f"EMAIL_URL: {error}.") from None
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise ImproperlyConfigured("EMAIL_URL must look like smtp+tls://user:password@host:587?from=name@example.org.")
    return MailServer(
        dict(parse_qsl(parts.query)).get("from", sender),
        parts.hostname,
        port or SCHEMES[parts.scheme],
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        parts.scheme == "smtp+tls",
        parts.scheme == "smtps",
    )


def networks(value: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """Read networks such as ``10.1.0.0/16, fd00::/8``."""
    try:
        return tuple(ipaddress.ip_network(each.strip()) for each in value.split(",") if each.strip())
    except ValueError as error:
        raise ImproperlyConfigured(f"WEBHOOK_NETWORKS: {error}. Use networks such as 10.1.0.0/16.") from None
