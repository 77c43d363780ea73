"""What people choose for themselves: it goes with them to any machine that they sign in at."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest

from core.languages import OWN
from core.organizations.models import Person

THEMES: Final = ("light", "dark")
DENSITIES: Final = ("compact",)
LANGUAGE: Final = "language"


def save_preferences(*, person_id: int, language: str = "", theme: str = "", density: str = "") -> dict[str, str]:
    """Keep what a person has chosen; "" is as the browser and the device have it. Raises ValueError for another value."""
    allowed = {LANGUAGE: [code for code, _name in settings.LANGUAGES], "theme": THEMES, "density": DENSITIES}
    chosen = {name: value for name, value in ((LANGUAGE, language), ("theme", theme), ("density", density)) if value}
    for name, value in chosen.items():
        if value not in allowed[name]:
            raise ValueError(f"{name} {value!r} is none of {', '.join(allowed[name])}.")
    Person.objects.filter(id=person_id).update(preferences=chosen)
    return chosen


def speak(request: HttpRequest, language: str) -> None:
    """Let a session's pages be in a language; "": in the browser's."""
    if language:
        request.session[OWN] = language
    else:
        request.session.pop(OWN, None)


def speak_as_chosen(sender: Any, request: HttpRequest, user: Person, **kwargs: Any) -> None:
    """Let pages be in the language of who has just signed in."""
    speak(request, user.preferences.get(LANGUAGE, ""))


def connect() -> None:
    """Listen for people who sign in."""
    user_logged_in.connect(speak_as_chosen, dispatch_uid="speak_as_chosen")
