"""Run the worked examples of the methodology pages: the engine's own functions, and records that it quantifies."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from types import SimpleNamespace
from typing import Any, Final

import pandas as pd

import core.quantification
from core.factors.pack import load_pack
from core.quantification.answer import answers
from core.quantification.overrides import parse_overrides
from core.quantification.records import from_wire
from reporting.handbook.examples import Example, Step

NUMBER: Final = re.compile(r"(?P<digits>-?\d+(\.\d+)?(e[+-]?\d+)?)( (?P<unit>\S.*))?")
UNITS: Final = {
    "_kwh": {"kWh"},
    "_kg": {"kg CO2e"},
    "_kg_co2e": {"kg CO2e"},
    "_mj": {"MJ"},
    "_l": {"L"},
    "_ml": {"mL"},
    "_wh": {"Wh"},
    "_power_w": {"W"},
    "_g_per_kwh": {"g/kWh"},
    "_kg_per_kwh": {"kg/kWh"},
}
"""End of a function's or result's name to the units that its value is printed in."""


def run(example: Example) -> Iterator[tuple[Step, Any]]:
    """Evaluate the steps in turn; yield each that expects a value, with what the engine gave."""
    names = dict(engine())
    for step in example.steps:
        value = eval(step.expression, {"__builtins__": {}}, names)  # noqa: S307  # our own documentation
        if step.name:
            names[step.name] = value
        if step.expected is not None:
            yield step, value


@cache
def engine() -> Mapping[str, Any]:
    """Return everything that an expression may name: public functions and values of the engine, and a few of Python."""
    found: list[tuple[str, Any]] = []
    for info in pkgutil.walk_packages(core.quantification.__path__, "core.quantification."):
        module = importlib.import_module(info.name)
        found += [
            (name, each)
            for name, each in vars(module).items()
            if not name.startswith("_")
            and (inspect.isfunction(each) or inspect.isclass(each) or hasattr(each, "cache_info"))
            and each.__module__ == info.name
        ]
    times = Counter(name for name, _ in found)
    plain = {"list": list, "sum": sum, "table": table, "quantified": quantified, "pack": load_pack()}
    return {name: each for name, each in found if times[name] == 1} | plain


def table(**columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def quantified(year: int = 2026, factors: Mapping[str, object] | None = None, **fields: Any) -> SimpleNamespace:
    """Quantify one record as the command does; impacts by name, notes and method beside them."""
    record = {
        "record_id": "example",
        "started_at": f"{year}-07-01T00:00:00Z",
        "ended_at": f"{year}-07-01T01:00:00Z",
        "stage": "inference",
        "hosting": "owned",
        "evidence": "measured",
        **fields,
    }
    frame, rejected = from_wire([(1, record)])
    assert not rejected, rejected
    answer = next(answers(frame, load_pack(), overrides=[parse_overrides(factors or {})]))
    impacts = {name: value and value["value"] for name, value in answer["impacts"].items()}
    return SimpleNamespace(**(answer | impacts))


def agrees(got: Any, printed: str) -> bool:
    """Compare as printed: numbers to half of their last printed digit, words and lists of words as they stand."""
    if printed == "null":
        return got is None
    if printed in {"yes", "no"}:
        return got is (printed == "yes")
    number = NUMBER.fullmatch(printed)
    if number is None or isinstance(got, str):
        return printed == (", ".join(got) if isinstance(got, list) else str(got))
    if isinstance(got, bool) or not isinstance(got, int | float):
        return False
    digits = Decimal(number["digits"])
    half = Decimal(5).scaleb(int(digits.as_tuple().exponent) - 1)
    return abs(Decimal(repr(float(got))) - digits) <= half * Decimal("1.000001")


def unit_of(step: Step) -> str | None:
    """Return the unit that a step prints, None for a bare number or a word."""
    number = NUMBER.fullmatch(step.expected or "")
    return number["unit"] if number else None


def said_units(step: Step) -> set[str]:
    """Return the units that the name behind an expression allows; any where it says none."""
    named = re.fullmatch(r"(?:\w+\.)*(\w+)(\(.*\))?", step.expression)
    name = named[1] if named and _is_one_call(step.expression) else ""
    endings = [ending for ending in UNITS if name.endswith(ending)]
    return UNITS[max(endings, key=len)] if endings else set()


def _is_one_call(expression: str) -> bool:
    """Tell whether the parentheses that open first close at the very end."""
    depth = 0
    for position, sign in enumerate(expression):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == ")" and depth == 0:
            return position == len(expression) - 1
    return True
