"""Whether a source's data is arriving: the rule, and what a card of a source shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

DAYS_SHOWN: Final = 30

PUSH_SILENT_AFTER: Final = 7.0
FILE_SILENT_AFTER: Final = 2.0
"""Times the expected interval after which a source that is late counts as silent: an agent a week, a bill two months."""

ALARMING: Final = ("late", "silent", "failing")
"""States that somebody should hear of."""

TONES: Final = {"new": "accent", "live": "good", "late": "warn", "silent": "bad", "failing": "bad", "paused": "warn"}


def state_of(
    *,
    paused: bool,
    latest_arrival: datetime | None,
    latest_failed: bool,
    expected_every: timedelta,
    pushed: bool,
    now: datetime,
) -> str:
    """
    Tell a source's state: paused, new (nothing arrived yet), failing (the latest batch failed), live, late or silent.

    Args:
        paused: its batches wait.
        latest_arrival: when the latest payload was received.
        latest_failed: no row of it could be read.
        expected_every: longest time between two arrivals that is no cause for alarm.
        pushed: agents send it; what comes as files is waited for less long, in proportion.
        now: the present time.
    """
    if paused:
        return "paused"
    if latest_arrival is None:
        return "new"
    if latest_failed:
        return "failing"
    age = now - latest_arrival
    silent_after = expected_every * (PUSH_SILENT_AFTER if pushed else FILE_SILENT_AFTER)
    return "live" if age <= expected_every else "late" if age <= silent_after else "silent"


@dataclass(frozen=True)
class SourceState:
    """
    A source connection and whether its data is arriving.

    Args:
        id, kind, name: of the connection.
        state: see `state_of`.
        latest_arrival: of its latest payload; None when none came.
        expected_every: longest time between two arrivals that is no cause for alarm.
    """

    id: int
    kind: str
    name: str
    state: str
    latest_arrival: datetime | None
    expected_every: timedelta

    @property
    def expected_h(self) -> float:
        """Give the expected interval. [h]"""
        return self.expected_every / timedelta(hours=1)


@dataclass(frozen=True)
class SourceCard(SourceState):
    """
    A source connection and the last 30 days of it.

    Args:
        alert: state and time of the open alert about it; None: there is none.
        received, written, quarantined: payload rows of the last 30 days.
        open_rows: rows of any age that wait in quarantine.
        days: payload rows received on each of the last 30 days, oldest first.
    """

    alert: tuple[str, datetime] | None
    received: int
    written: int
    quarantined: int
    open_rows: int
    days: list[tuple[date, int]]

    @property
    def tone(self) -> str:
        """Give the badge that goes with the state."""
        return TONES[self.state]

    @property
    def alert_since(self) -> datetime | None:
        """Give when the open alert was raised."""
        return self.alert[1] if self.alert else None

    @property
    def rejected_share(self) -> float | None:
        """Give the share of rows that went to quarantine; None when nothing came."""
        return self.quarantined / self.received if self.received else None

    @property
    def bars(self) -> list[dict[str, float]]:
        """Draw the days as bars 3 wide in a box of 120 by 24; a day without data has none."""
        most = max((rows for _, rows in self.days), default=0)
        step = 120 / max(len(self.days), 1)
        return [
            {"x": round(at * step, 2), "y": round(24 - height, 2), "height": round(height, 2)}
            for at, (_, rows) in enumerate(self.days)
            if rows
            for height in [max(1.5, 24 * rows / most)]
        ]
