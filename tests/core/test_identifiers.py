"""Identifiers are of RFC 9562 and sort in the order in which a process made them."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from uuid import RFC_4122

import pytest

from core import identifiers
from core.identifiers import uuid7


def test_identifiers_of_one_millisecond_sort_in_the_order_of_their_making() -> None:
    made = [uuid7() for _ in range(20_000)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}


def test_a_clock_set_back_does_not_turn_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    before = uuid7()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000_000_000_000)

    assert before < uuid7() < uuid7()


def test_the_time_is_read_as_the_rfc_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9562, appendix A.6: Tuesday, February 22, 2022 2:22:22.00 PM GMT-05:00 is 017F22E2-79B0-7..."""
    moment = datetime.fromisoformat("2022-02-22T14:22:22-05:00")
    monkeypatch.setattr(identifiers, "_ticks", identifiers._Ticks())
    nanoseconds = (moment - datetime.fromisoformat("1970-01-01T00:00Z")) // timedelta(microseconds=1) * 1000
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds)

    assert str(uuid7()).startswith("017f22e2-79b0-7000-")
