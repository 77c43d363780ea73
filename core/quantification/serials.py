"""Serial numbers of certificates: ranges, and hashes by which two ranges are seen to overlap without being shown."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

_SERIAL: Final = re.compile(r"(?P<prefix>.*?)(?P<number>\d{1,40})", re.DOTALL)
_LEVELS: Final = 133
"""Forty digits are 133 bits."""


class SerialError(ValueError):
    """Serial numbers that make no range; the message says why."""


@dataclass(frozen=True)
class SerialRange:
    """Certificates of one registry, first and last included: what stands before the running number, and the numbers."""

    registry: str
    prefix: str
    first: int
    last: int

    @property
    def count(self) -> int:
        """Return how many certificates they are; one stands for 1 MWh."""
        return self.last - self.first + 1

    def same_numbers(self, other: SerialRange) -> bool:
        """Tell whether two ranges share a number, whatever their registries are called."""
        return self.prefix == other.prefix and self.first <= other.last and other.first <= self.last


def registry_name(registry: str) -> str:
    """
    Write a registry's name for comparison: without what stands in brackets, punctuation and case.

    >>> registry_name(" HKNR (UBA) "), registry_name("M-RETS")
    ('hknr', 'm rets')
    """
    return " ".join(re.sub(r"\s*\(.*?\)|[^\w]+", " ", registry).casefold().split())


def serial_range(registry: str, first: str, last: str = "") -> SerialRange:
    """
    Read the first and last serial number of a delivery; without a last one it is a single certificate.

    Raises SerialError where they do not end in numbers of one series.

    >>> serial_range("UBA", "DE-2026-000101", "DE-2026-000350").count
    250
    """
    named = registry_name(registry)
    start, end = (_SERIAL.fullmatch(text.strip()) for text in (first, last or first))
    if not named:
        raise SerialError("Serial numbers need the registry that issued them.")
    if start is None or end is None:
        raise SerialError("A serial number ends in digits, at most 40 of them.")
    if start["prefix"] != end["prefix"]:
        raise SerialError(f"The first and the last serial number begin differently: {first} and {last}.")
    found = SerialRange(named, start["prefix"].casefold(), int(start["number"]), int(end["number"]))
    if found.count < 1:
        raise SerialError(f"The last serial number lies before the first: {first} and {last}.")
    return found


@dataclass(frozen=True)
class Blocks:
    """
    Hashes of a range of certificates.

    Args:
        whole: of the aligned blocks of 1, 2, 4, ... certificates that the range is made of.
        partly: of the larger blocks that these lie in.
    """

    whole: frozenset[bytes]
    partly: frozenset[bytes]

    def overlaps(self, other: Blocks) -> bool:
        """Tell whether two ranges have a certificate in common."""
        return bool(self.whole & (other.whole | other.partly) or self.partly & other.whole)


def blocks_of(certificates: SerialRange) -> Blocks:
    """
    Cut a range into aligned blocks of powers of two and hash each with its registry: about 2 log2 of its length.

    Two aligned blocks are apart or one lies in the other, so an overlap shows as an equal hash.

    >>> one, two, three = (blocks_of(SerialRange("r", "", *ends)) for ends in ((1, 6), (6, 9), (7, 7)))
    >>> one.overlaps(two), two.overlaps(three), one.overlaps(three)
    (True, True, False)
    """
    whole, level = set(), 0
    first, end = certificates.first, certificates.last + 1
    while first < end:
        if first & 1:
            whole.add((level, first))
            first += 1
        if end & 1:
            end -= 1
            whole.add((level, end))
        first, end, level = first >> 1, end >> 1, level + 1
    partly = {(higher, index >> (higher - level)) for level, index in whole for higher in range(level + 1, _LEVELS + 1)}
    return Blocks(
        frozenset(_hash(certificates, *block) for block in whole),
        frozenset(_hash(certificates, *block) for block in partly),
    )


def _hash(certificates: SerialRange, level: int, index: int) -> bytes:
    text = f"{certificates.registry}\n{certificates.prefix}\n{level}\n{index}"
    return hashlib.sha256(text.encode()).digest()[:16]
