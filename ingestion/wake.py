"""
Waking workers, without ever making a sender wait for it.

The broker may be away, slow or wiped: a wake-up is a courtesy, the sweep finds whatever nobody was woken for. So doors only
drop a name into a set; a thread of this process sends what is in it, at most one message an organization and interval.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Final

import structlog
from celery.exceptions import CeleryError
from django.conf import settings
from kombu.exceptions import KombuError
from redis import Redis, RedisError

from core.celery import app

log = structlog.get_logger()

PAUSE_AFTER_FAILURE_S: Final = 5.0

DRAIN: Final = "ingestion.drain"
DERIVE: Final = "accounting.derive"
DELETE: Final = "ingestion.delete_data"

DEBOUNCE_MS: Final = {DRAIN: 250, DERIVE: 1000, DELETE: 250}
"""Least time between two wake-ups of one organization, over all processes: part of how fresh figures are, and of what a
steady stream of small payloads costs."""
LOOK_AGAIN_S: Final = 0.1


class Waker:
    """Sends wake-ups from a thread of its own; made anew in a forked process."""

    def __init__(self) -> None:
        self._pid = 0
        self._wanted: set[tuple[str, int]] = set()
        self._changed = threading.Condition()
        self._redis: Redis | None = None
        self._busy = False

    def want(self, task: str, organization_id: int) -> None:
        """Ask for a task to be sent soon. Returns at once and never fails."""
        if self._pid != os.getpid():
            self._start()
        with self._changed:
            self._busy = True
            self._wanted.add((task, organization_id))
            self._changed.notify()

    def flush(self, seconds: float) -> None:
        """Wait until what was asked for has been sent, at most so long; for processes that are about to end."""
        deadline = time.monotonic() + seconds
        while self._busy and time.monotonic() < deadline:
            time.sleep(0.02)

    def _start(self) -> None:
        self._pid = os.getpid()
        self._wanted, self._changed, self._redis = set(), threading.Condition(), None
        threading.Thread(target=self._run, name="waker", daemon=True).start()

    def _run(self) -> None:
        later: set[tuple[str, int]] = set()
        while True:
            with self._changed:
                while not self._wanted and not later:
                    self._busy = False
                    self._changed.wait()
                if later:
                    self._changed.wait(LOOK_AGAIN_S)
                wanted, self._wanted = self._wanted | later, set()
            try:
                later = {entry for entry in wanted if not self._send(*entry)}
            except (RedisError, KombuError, CeleryError, OSError) as error:
                log.warning("broker unreachable, the sweep will find it", error=type(error).__name__)
                later = set()
                time.sleep(PAUSE_AFTER_FAILURE_S)

    def _send(self, task: str, organization_id: int) -> bool:
        """Send a wake-up unless one went out a moment ago, by any process; tell whether it was sent."""
        if self._redis is None:
            self._redis = Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)
        if not self._redis.set(f"wake:{task}:{organization_id}", b"1", nx=True, px=DEBOUNCE_MS[task]):
            return False
        app.send_task(task, kwargs={"organization_id": organization_id}, retry=False)
        return True


_waker = Waker()


def drain(organization_id: int) -> None:
    """Ask for a worker to read an organization's inbox."""
    _waker.want(DRAIN, organization_id)


def derive(organization_id: int) -> None:
    """Ask for an organization's dirty days to be derived."""
    _waker.want(DERIVE, organization_id)


def delete(organization_id: int) -> None:
    """Ask for deletions of an organization's data to be worked on."""
    _waker.want(DELETE, organization_id)


def flush(seconds: float = 2.0) -> None:
    """Give wake-ups that were asked for the time to be sent, before the process ends."""
    _waker.flush(seconds)
