"""Signatures of webhooks by Standard Webhooks (standardwebhooks.com), scheme v1: HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Final

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32


def new_secret() -> bytes:
    """Make a key that nobody can guess. [32 B]"""
    return secrets.token_bytes(SECRET_BYTES)


def shown(secret: bytes) -> str:
    """
    Write a key as receivers enter it.

    >>> shown(b"0123456789abcdef01234567")
    'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3'
    """
    return PREFIX + base64.b64encode(secret).decode("ascii")


def headers(*, uid: str, timestamp_s: int, body: bytes, secrets_in_force: Iterable[bytes]) -> dict[str, str]:
    """
    Sign a body: one signature for each key that is in force, so that a receiver may change from one to the next.

    Args:
        uid: of the message, the same at every attempt.
        timestamp_s: of this attempt, seconds since 1970.
    """
    signed = f"{uid}.{timestamp_s}.".encode() + body
    signatures = [
        "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode("ascii")
        for secret in secrets_in_force
    ]
    return {
        "webhook-id": uid,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(signatures),
    }
