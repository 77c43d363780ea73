"""
GitHub Copilot as its REST API answers: seats (`/orgs/{org}/copilot/billing/seats`, also of an enterprise), the sum of them
(`/orgs/{org}/copilot/billing`), and metrics. Who holds a seat is counted and then forgotten.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from ingestion.sources import json_stream
from ingestion.sources.base import UnreadablePayload

VENDOR: Final = "github"
CUT: Final = json_stream.Cut("seats")
FORM: Final = "copilot"
METRICS: Final = "copilot_metrics"
FORMS: Final = (FORM, METRICS)
PRODUCTS: Final = {"business": "GitHub Copilot Business", "enterprise": "GitHub Copilot Enterprise"}
UNKNOWN_PLAN: Final = "GitHub Copilot"

_MONTH: Final = re.compile(r"^\d{4}-(?:0[1-9]|1[0-2])(?=-|T|$)")


def is_answer(value: object) -> bool:
    """Tell whether a JSON value is an answer of this API."""
    if not isinstance(value, dict):
        return False
    return isinstance(value.get("seats"), list) or isinstance(value.get("seat_breakdown"), dict) or _is_metrics(value)


def _is_metrics(value: Mapping[str, Any]) -> bool:
    return "date" in value and any(key.startswith(("copilot_", "total_active_users")) for key in value)


def counted(answers: Callable[[], Iterable[Mapping[str, Any]]], most: int) -> Iterator[dict[str, Any]]:
    """
    Count the seats of answers by plan, team, organization, and the months in which they were given and last used.

    Args:
        answers: gives all of one file, each time anew, so that who holds a seat by two teams is counted once, half for each.
        most: seats that are told apart.

    Yields:
        Rows of `form`, the keys above, `seats` and `rows` (how many entries stand behind). Nobody's name is in them.
    """
    holders: Counter[str | None] = Counter()
    for seat in _entries(answers()):
        holders[_holder(seat)] += 1
        if len(holders) > most:
            raise UnreadablePayload(too_many(most))
    found: dict[tuple[str | None, ...], dict[str, Any]] = {}
    broken = 0
    for seat in _entries(answers()):
        if not isinstance(seat, dict):
            broken += 1
            continue
        team, organization = _part(seat, "assigning_team", "name", "slug"), _part(seat, "organization", "login")
        months = (_month(seat.get("created_at")), _month(seat.get("last_activity_at")))
        key = (_text(seat.get("plan_type")), team, organization, *months)
        names = ("plan", "team", "organization", "created_month", "active_month")
        row = found.setdefault(key, {"form": FORM, **dict(zip(names, key, strict=True)), "seats": 0.0, "rows": 0})
        holder = _holder(seat)
        row["seats"] += 1 / holders[holder] if holder is not None else 1
        row["rows"] += 1
    yield from found.values()
    if broken:
        yield {"form": "broken", "detail": "a seat is an object", "rows": broken}
    yield from (_sum(answer, bool(found)) for answer in answers() if "seats" not in answer)


def too_many(most: int) -> str:
    """Say why a file of people is refused."""
    return f"A file of seats may name {most:,} people. Split it by month or organization."


def _entries(answers: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    return (seat for answer in answers if isinstance(answer.get("seats"), list) for seat in answer["seats"])


def _sum(answer: Mapping[str, Any], listed: bool) -> dict[str, Any]:
    """Read an answer without seats: the sum of them, which repeats those that the file lists; or metrics."""
    breakdown = answer.get("seat_breakdown")
    if not isinstance(breakdown, dict) or listed:
        return {"form": METRICS, "rows": 1}
    return {
        "form": FORM,
        "plan": _text(answer.get("plan_type")),
        **dict.fromkeys(("team", "organization", "created_month", "active_month")),
        "seats": breakdown.get("total"),
        "active": breakdown.get("active_this_cycle"),
        "rows": 1,
    }


def product_of(plan: object) -> str:
    """Name the product of a plan, under which an organization's seat factor finds it."""
    return PRODUCTS.get(plan, UNKNOWN_PLAN) if isinstance(plan, str) else UNKNOWN_PLAN


def _holder(seat: object) -> str | None:
    assignee = seat.get("assignee") if isinstance(seat, dict) else None
    name = (assignee.get("id") or assignee.get("login")) if isinstance(assignee, dict) else None
    return str(name) if name else None


def _part(seat: Mapping[str, Any], key: str, *names: str) -> str | None:
    part = seat.get(key)
    return next((text for name in names if (text := _text(part.get(name)))), None) if isinstance(part, dict) else None


def _text(value: object) -> str | None:
    return value[:200] if isinstance(value, str) and value else None


def _month(value: object) -> str | None:
    found = _MONTH.match(value) if isinstance(value, str) else None
    return found[0] if found else None
