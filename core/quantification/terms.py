"""Terms: one measure times a product of coefficients, the only shape that a result has.

Because every figure is a sum of terms and every term is linear in one measure, quantify and sum commute, for bounds too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

import pandas as pd

from core.quantification.bounds import half_widths
from core.quantification.factor import Factor

IMPACTS: Final = (
    "energy_it_kwh",
    "energy_facility_kwh",
    "location_kg_co2e",
    "market_kg_co2e",
    "upstream_kg_co2e",
    "embodied_kg_co2e",
    "water_l",
    "primary_energy_mj",
    "adpe_kg_sbeq",
)
"""Every impact, in the order of the output columns."""

Power = tuple[Factor, int]
"""A coefficient and the power it stands in: 1 multiplies, -1 divides."""


@dataclass(frozen=True, slots=True)
class Product:
    """
    A constant times coefficients: what a formula makes of factors, so that a plan keeps every input it multiplied.

    Attributes:
        inputs: coefficients in the order of the formula; each stands once.
        constant: exact conversion, such as 1/1000 for grams to kilograms.
    """

    inputs: tuple[Power, ...] = ()
    constant: float = 1.0

    @classmethod
    def of(cls, *factors: Factor) -> Product:
        """Multiply factors."""
        return cls(tuple([(factor, 1) for factor in factors]))

    def __mul__(self, other: Product | float) -> Product:
        if isinstance(other, Product):
            return Product((*self.inputs, *other.inputs), self.constant * other.constant)
        return Product(self.inputs, self.constant * other)

    def __truediv__(self, other: Product | float) -> Product:
        if isinstance(other, Product):
            inverse = [(factor, -power) for factor, power in other.inputs]
            return Product((*self.inputs, *inverse), self.constant / other.constant)
        return Product(self.inputs, self.constant / other)


UNIT: Final = Product()
"""One unit of a measure: a formula of it is the coefficient of that measure."""

Quantity = TypeVar("Quantity", float, pd.Series, Product)
"""What a formula takes and returns: one value, one row per cell, or the coefficients of a plan."""


class Term(NamedTuple):
    """
    Hold one term of an impact. A tuple, as thirty are made for every plan.

    Attributes:
        impact: one of ``IMPACTS``.
        measure: column of the integer measures.
        per_unit: how many stored integers make one unit of the measure.
        sign: -1 where the term is taken off (cached tokens), else 1.
        inputs: coefficients in the order of the formula; each stands once.
        constant: exact conversion, such as 1/1000 for grams to kilograms.
        value, low, high: the impact per unit of the measure.
    """

    impact: str
    measure: str
    per_unit: int
    sign: int
    inputs: tuple[Power, ...]
    constant: float
    value: float
    low: float
    high: float

    @property
    def formula(self) -> str:
        """Return the product in words."""
        words = [self.measure] + [f"{'x' if power == 1 else '/'} {factor.name}" for factor, power in self.inputs]
        if self.constant != 1.0:
            words.append(f"x {self.constant:g}")
        return ("- " if self.sign < 0 else "") + " ".join(words)

    def as_dict(self) -> dict[str, object]:
        """Return the term for explain: ``measure x value`` is the impact, and the inputs multiply out to the value."""
        return {
            "impact": self.impact,
            "measure": self.measure,
            "integers_per_unit": self.per_unit,
            "formula": self.formula,
            "value": self.sign * self.value,
            "low": self.sign * self.low,
            "high": self.sign * self.high,
            "constant": self.sign * self.constant,
            "inputs": [
                {
                    "id": factor.id,
                    "name": factor.name,
                    "value": factor.value,
                    "low": factor.low,
                    "high": factor.high,
                    "unit": factor.unit,
                    "power": power,
                }
                for factor, power in self.inputs
            ],
        }


def multiply(product: Product) -> tuple[float, float, float]:
    """
    Multiply coefficients with their intervals by the one rule of methodology 9.3.

    Returns:
        value, low, high. A coefficient of 0 makes all three 0 unless its high is above 0.
    """
    value = product.constant
    below, above = [], []
    for factor, power in product.inputs:
        value = value * factor.value if power == 1 else value / factor.value
        if factor.value == 0.0:
            return 0.0, 0.0, _high(product)
        widths = half_widths(factor.value, factor.low, factor.high)
        below.append(widths[power != 1])
        above.append(widths[power == 1])
    lower, upper = math.hypot(*below), math.hypot(*above)
    low = 0.0 if math.isinf(lower) else value * math.exp(-lower) if lower else value
    return value, low, value * math.exp(upper) if upper else value


def _high(product: Product) -> float:
    """Return the product of the highs: all that is left of the interval of a product that is 0."""
    high = product.constant
    for factor, power in product.inputs:
        high = high * factor.high if power == 1 else high / factor.low
    return high


def make_term(impact: str, measure: str, per_unit: int, product: Product, *, sign: int = 1) -> Term:
    """Make a term: multiply its coefficients."""
    return Term(impact, measure, per_unit, sign, product.inputs, product.constant, *multiply(product))
