"""What the navigation shows: pages that exist and that the asker may use."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context processor: the organization, its switcher and the navigation entries."""
    return {
        "organization": getattr(request, "organization", None),
        "memberships": getattr(request, "memberships", []),
        "identity": getattr(request, "identity", None),
    }
