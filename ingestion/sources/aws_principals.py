"""Who called, in AWS bills: of a role the name is kept; users, sessions (often mail addresses) and others are not."""

from __future__ import annotations

import re
from typing import Final

_ROLE: Final = re.compile(
    r"^arn:aws[\w-]*:(?:iam::\d*:role/(?:[^/]+/)*(?P<role>[^/]+)|sts::\d*:assumed-role/(?P<assumed>[^/]+)(?:/.*)?)$"
)


def role_of(principal: str) -> str | None:
    """
    Give the name of the role behind a principal; None for users and whatever else.

    >>> role_of("arn:aws:iam::123456789012:role/service-role/search-app")
    'search-app'
    >>> role_of("arn:aws:sts::123456789012:assumed-role/analyst/jane@example.org")
    'analyst'
    >>> role_of("arn:aws:iam::123456789012:user/jane")
    """
    found = _ROLE.match(principal)
    return (found["role"] or found["assumed"]) if found else None


def without_person(principal: str) -> str | None:
    """
    Give a principal without whom it names: a role stays as it is, of an assumed role the session goes.

    >>> without_person("arn:aws:sts::123456789012:assumed-role/analyst/jane@example.org")
    'arn:aws:sts::123456789012:assumed-role/analyst'
    >>> without_person("arn:aws:iam::123456789012:user/jane")
    """
    found = _ROLE.match(principal)
    if found is None:
        return None
    return principal if found["role"] else principal[: found.end("assumed")]
