"""The table of published methods: names to functions, filled by its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Inputs = Mapping[str, Any]
Outputs = dict[str, Any]

METHODS: dict[str, Callable[[Inputs], Outputs]] = {}


def method(rule: Callable[[Inputs], Outputs]) -> Callable[[Inputs], Outputs]:
    METHODS[rule.__name__] = rule
    return rule


class UnknownMethod(LookupError):  # said in the words of the product
    """A case of a method that this table does not know."""


def evaluate(method: str, inputs: Inputs) -> Outputs:
    """Return the outputs of a published method; raises `UnknownMethod` instead of passing over a case."""
    try:
        rule = METHODS[method]
    except KeyError:
        raise UnknownMethod(f"no published method {method!r}; known: {', '.join(sorted(METHODS))}") from None
    return rule({key: value for key, value in inputs.items() if key != "method"})
