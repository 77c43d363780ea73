"""Time-ordered identifiers: new rows land at the end of an index instead of all over it."""

from __future__ import annotations

import os
import time
from uuid import UUID


def uuid7() -> UUID:
    """Make a UUID of version 7: 48 bits of milliseconds, then 74 random bits (RFC 9562, section 5.7)."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (
        (milliseconds & (1 << 48) - 1) << 80
        | 0x7 << 76
        | (random >> 68 & 0xFFF) << 64
        | 0b10 << 62
        | random & (1 << 62) - 1
    )
    return UUID(int=value)
