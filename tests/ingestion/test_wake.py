"""Waking workers never makes a sender wait, and a lost broker is no fault."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from redis import Redis

from ingestion import wake

pytestmark = pytest.mark.usefixtures("servers")


def test_a_stream_of_wake_ups_becomes_few_messages(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Redis.from_url(settings.REDIS_URL).flushdb()
    sent: list[tuple[str, int]] = []
    monkeypatch.setattr(wake.app, "send_task", lambda task, kwargs, **_: sent.append((task, kwargs["organization_id"])))
    waker = wake.Waker()

    for _ in range(50):
        waker.want(wake.DRAIN, 1)
        waker.want(wake.DRAIN, 2)
        time.sleep(0.01)
    waker.flush(5)

    assert {(wake.DRAIN, 1), (wake.DRAIN, 2)} == set(sent)
    assert len(sent) <= 12


def test_a_broker_that_never_answers_costs_the_sender_nothing(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        waker = wake.Waker()

        started = time.perf_counter()
        for _ in range(100):
            waker.want(wake.DRAIN, 1)
        took_s = time.perf_counter() - started
        time.sleep(1.2)  # its thread has given up by now

    assert took_s < 0.1
