"""
Keys of PostgreSQL's advisory locks, all in one place, since two locks of one key wait for each other for no reason.

A lock is named by two numbers, one of these and what it is about, or by one of these alone. A new lock takes a number that was
never used: releases that run side by side for a moment must mean the same by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import connection

# the second number is the organization
AUDIT_LOCK: Final = 0x57A77  # orders its audit events
VIEW_LOCK: Final = 0x57A7E  # its views change
RULES_LOCK: Final = 0x57A7F  # a change of its rules against a derive that reads them
RATES_LOCK: Final = 0x57A80  # its market rates are made
INSTRUMENT_LOCK: Final = 0x57A81  # its instruments change
GRID_SERIES_LOCK: Final = 0x57A83  # its grid series change
OWN_FACTOR_LOCK: Final = 0x57A84  # its own factors change
REGISTER_LOCK: Final = 0x57A90  # its register of sites and assets changes
DELETION_LOCK: Final = 0x57A91  # a worker goes on with its deletions of source data
DENOMINATOR_LOCK: Final = 0xDE40  # its deliveries of denominators are entered one after the other
PERIOD_LOCK: Final = 0x57A9A  # its periods are closed one after the other

EXPORT_LOCK: Final = 0x57A94  # a worker writes its exports

# the second number is the view
BUILD_LOCK: Final = 0x57A87  # held by the session that builds it, so it is free when the builder is gone

# the second number is the source
COUNTER_LOCK: Final = 0x57A92  # held by the session that reads its counters, until it has written what they add

# the second number is a hash
MONTH_LOCK: Final = 0x57A7D  # of organization and month: days of the month are derived
IDEMPOTENCY_LOCK: Final = 0x1DE4  # of organization, token and key: one of two equal requests goes first

# alone: over all organizations
CLAIM_LOCK: Final = 0x57A82  # claims of certificates
JOB_LOCK: Final = 0x57A85  # a worker restates
LOAD_LOCK: Final = 0x57A86  # two processes that start at once load a factor set once


@contextmanager
def if_free(*key: int) -> Iterator[bool]:
    """Hold a lock if nobody has it, and say so; it is the session's, so it is free when a worker is gone."""
    numbers = ", ".join(["%s"] * len(key))
    with connection.cursor() as cursor:
        cursor.execute(f"select pg_try_advisory_lock({numbers})", key)
        (locked,) = cursor.fetchone()
    try:
        yield bool(locked)
    finally:
        if locked and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute(f"select pg_advisory_unlock({numbers})", key)
