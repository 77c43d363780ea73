"""
Worked examples of the methodology pages, in the one form that a test can run and a page can show.

A fenced block of the kind ``example`` holds one step a line; a line that begins with a space goes on with the one before:

    it = it_energy_kwh(device_energy_kwh=10, host_factor=1.35) -> 13.5 kWh
    facility_energy_kwh(it_energy_kwh=it, pue=1.2) -> 16.2 kWh
    from: hand calculation

The expression is a call of the engine's own functions; a name keeps its result for later steps; behind the arrow stands the
expected value as printed by where it comes from, which the last line names. A step without an arrow sets up others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

KIND: Final = "example"
_NAMED: Final = re.compile(r"(?P<name>[a-z_][a-z0-9_]*) = (?P<expression>.+)")


@dataclass(frozen=True)
class Step:
    """One line: the name of its result ("" for none), the expression, and the expected value with its unit or None."""

    name: str
    expression: str
    expected: str | None


@dataclass(frozen=True)
class Example:
    """A worked example and where its expected values come from."""

    steps: tuple[Step, ...]
    origin: str


class BadExample(ValueError):
    """A block that is not in the form of an example."""


def parse_example(block: str) -> Example:
    """
    Read the block of an example.

    Raises:
        BadExample: nothing is expected, or nobody says where the expected values come from.

    >>> parse_example("half = 10 / 2 -> 5 kWh\\nfrom: hand calculation").steps
    (Step(name='half', expression='10 / 2', expected='5 kWh'),)
    """
    *lines, last = _joined(block) or [""]
    if not last.startswith("from: "):
        raise BadExample(f"the last line says where the expected values come from, not {last!r}")
    steps = tuple(_step(line) for line in lines)
    if not any(step.expected for step in steps):
        raise BadExample("no step expects a value")
    return Example(steps, last.removeprefix("from: "))


def _joined(block: str) -> list[str]:
    lines: list[str] = []
    for line in block.strip("\n").splitlines():
        if line.startswith(" ") and lines:
            lines[-1] += ("" if lines[-1].endswith(("(", "[")) else " ") + line.strip()
        else:
            lines.append(line.strip())
    return lines


def _step(line: str) -> Step:
    calculation, arrow, expected = line.rpartition(" -> ")
    calculation = calculation if arrow else line
    named = _NAMED.fullmatch(calculation)
    name, expression = (named["name"], named["expression"]) if named else ("", calculation)
    return Step(name, expression, expected if arrow else None)
