"""Three typed helpers that read the environment once and fail loudly, with the variable's name and a hint."""

from __future__ import annotations

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}


def boolean(name: str, default: bool = False) -> bool:
    """Read a switch: 1/true/yes/on or 0/false/no/off."""
    raw = os.environ.get(name)
    if raw is None:
        return default
    value = raw.strip().lower()
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise ImproperlyConfigured(f"{name}={raw!r} is no switch: use 1 or 0.")


def integer(name: str, default: int, *, minimum: int, maximum: int) -> int:
    """Read a whole number within bounds."""
    raw = os.environ.get(name)
    if raw is None or not raw.strip():
        return default
    try:
        value = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={raw!r} is no whole number.") from None
    if not minimum <= value <= maximum:
        raise ImproperlyConfigured(f"{name}={value} is outside {minimum} to {maximum}.")
    return value


def text(name: str, default: str | None = None, *, hint: str = "", choices: tuple[str, ...] = ()) -> str:
    """Read text, or the content of the file that ``<name>_FILE`` names (for secrets)."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        if name in os.environ:
            raise ImproperlyConfigured(f"Both {name} and {name}_FILE are set: keep one.")
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE={path}: {error.strerror}.") from error
    else:
        value = os.environ.get(name, "").strip()
    if not value:
        if default is None:
            raise ImproperlyConfigured(f"{name} is not set. {hint}".strip())
        value = default
    if choices and value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r} is not one of {', '.join(choices)}.")
    return value
