"""Tokens of a language model: the EcoLogits 0.11.3 method with a prefill term (methodology 2.4)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from core.quantification import units
from core.quantification.entries import Model
from core.quantification.factor import Factor, spread
from core.quantification.methods import Interval, Methodology
from core.quantification.operational import defaults_of
from core.quantification.overrides import Override
from core.quantification.pack import FILE, FactorPack
from core.quantification.terms import Product
from core.quantification.use import Context, Energy, EnergyTerm, Refusal, Use

MEMORY_OVERHEAD: Final = 1.2
BITS_PER_BYTE: Final = 8.0
BILLION: Final = 1e9


@dataclass(frozen=True)
class Fit:
    """
    Coefficients of the token method, as the calculation defaults of a pack hold them.

    Attributes:
        alpha, beta, gamma: of the energy of one GPU for one output token, see `token_wh`.
        latency_active, latency_batch, latency_base: of the time of one output token. [s/10^9 parameters, s, s]
        gpu_memory_gb: of one GPU. [GB]
        server_gpus, server_kw: GPUs of the server, and its power without them. [kW]
        lifetime_h: of the hardware. [h]
        gpu_embodied_kg, server_embodied_kg: making one GPU, and the server without them. [kg CO2e]
        gpu_embodied_adpe, server_embodied_adpe: likewise. [kg Sb-eq]
        gpu_embodied_pe, server_embodied_pe: likewise. [MJ]
    """

    alpha: float
    beta: float
    gamma: float
    latency_active: float
    latency_batch: float
    latency_base: float
    gpu_memory_gb: float
    server_gpus: float
    server_kw: float
    lifetime_h: float
    gpu_embodied_kg: float
    server_embodied_kg: float
    gpu_embodied_adpe: float
    server_embodied_adpe: float
    gpu_embodied_pe: float
    server_embodied_pe: float


FIT_KEYS: Final = {
    "alpha": "llm.gpu_energy_alpha",
    "beta": "llm.gpu_energy_beta",
    "gamma": "llm.gpu_energy_gamma",
    "latency_active": "llm.latency_alpha",
    "latency_batch": "llm.latency_beta",
    "latency_base": "llm.latency_gamma",
    "gpu_memory_gb": "llm.gpu_memory",
    "server_gpus": "llm.server_gpus",
    "server_kw": "llm.server_power_without_gpus",
    "lifetime_h": "llm.hardware_lifespan",
    "gpu_embodied_kg": "llm.gpu_embodied_gwp",
    "server_embodied_kg": "llm.server_embodied_gwp",
    "gpu_embodied_adpe": "llm.gpu_embodied_adpe",
    "server_embodied_adpe": "llm.server_embodied_adpe",
    "gpu_embodied_pe": "llm.gpu_embodied_pe",
    "server_embodied_pe": "llm.server_embodied_pe",
}


@lru_cache(maxsize=8)
def fit_of(pack: FactorPack) -> Fit | None:
    """Read the coefficients from the calculation defaults; None where the pack does not hold them all."""
    defaults = defaults_of(pack)
    if not all(key in defaults for key in FIT_KEYS.values()):
        return None
    return Fit(**{name: float(defaults[key]["value"]) for name, key in FIT_KEYS.items()})


def token_wh(active_b: float, batch_size: float, fit: Fit) -> float:
    """
    Return the energy of one GPU for one output token.

    Args:
        active_b: active parameters. [10^9]
        batch_size: requests served together.

    Returns:
        Wh per output token and GPU.

    Source: EcoLogits 0.11.3, fitted on ML.ENERGY measurements of H100.
    """
    return fit.alpha * math.exp(fit.beta * batch_size) * active_b + fit.gamma


def token_seconds(active_b: float, batch_size: float, fit: Fit, output_tps: float | None = None) -> float:
    """
    Return the time that one output token takes, 1/tps where the model's rate is published. [s]

    Source: EcoLogits 0.11.3.
    """
    if output_tps is not None:
        return 1.0 / output_tps
    return fit.latency_active * active_b + fit.latency_batch * batch_size + fit.latency_base


def gpu_count(total_b: float, quantization_bits: float, gpu_memory_gb: float) -> int:
    """
    Return how many GPUs hold the weights with a fifth to spare, the next power of two.

    >>> gpu_count(8.03, 16, 80), gpu_count(405.85, 16, 80), gpu_count(405.85, 4, 80)
    (1, 16, 4)
    """
    needed = math.ceil(MEMORY_OVERHEAD * total_b * quantization_bits / BITS_PER_BYTE / gpu_memory_gb)
    return int(2 ** math.ceil(math.log2(max(1, needed))))


def server_kwh_per_s(gpus: int, batch_size: float, fit: Fit) -> float:
    """Return the energy of the node without its GPUs for one second of one request. [kWh/s]"""
    return fit.server_kw * gpus / fit.server_gpus / batch_size / units.S_PER_H


def hardware_per_s(gpus: int, batch_size: float, server_total: float, gpu_total: float, fit: Fit) -> float:
    """Return the amortised hardware (kg, kg Sb-eq or MJ of server and GPUs) for one second of one request."""
    total = gpus / fit.server_gpus * server_total + gpus * gpu_total
    return total / (batch_size * fit.lifetime_h * units.S_PER_H)


def prefill_kwh(active_b: float, method: Methodology) -> float:
    """
    Return the energy of reading one input token: 2 FLOP per active parameter at the share of peak that prefill reaches.

    Args:
        active_b: active parameters. [10^9]

    Source: methodology 2.4 (an extension: EcoLogits ignores input tokens).
    """
    seconds = 2.0 * active_b * BILLION / (method.prefill_flop_per_s * method.prefill_mfu)
    return seconds * method.prefill_watts / units.J_PER_KWH


def quantization_bits(techniques: tuple[str, ...], method: Methodology) -> float:
    """
    Return the bits per weight that a ``quantized:`` technique names; it changes the number of GPUs only.

    >>> quantization_bits(("distilled", "quantized:int4"), Methodology())
    4.0
    """
    for technique in techniques:
        kind, _, scheme = technique.partition(":")
        digits = re.search(r"\d+", scheme)
        if kind == "quantized" and digits:
            return float(digits.group())
    return method.quantization_bits


@dataclass(frozen=True)
class Parameters:
    """Active and total parameters as (value, low, high) in billions, and how well they are known."""

    active_b: tuple[float, float, float]
    total_b: tuple[float, float, float]
    disclosed: bool
    midpoint: bool
    source: str
    id: str
    match: str
    valid_from: str | None

    @property
    def is_range(self) -> bool:
        """Say whether an interval is given for either."""
        return any(low < high for _, low, high in (self.active_b, self.total_b))

    def ends(self, formula: Callable[[float, float], float]) -> tuple[float, float, float]:
        """Evaluate at minima and maxima end by end; the value is their midpoint unless parameters were given."""
        low = formula(self.active_b[1], self.total_b[1])
        high = formula(self.active_b[2], self.total_b[2])
        value = (low + high) / 2 if self.midpoint else formula(self.active_b[0], self.total_b[0])
        return value, low, high


def parameters_of(use: Use, model: Model | None) -> Parameters | None:
    """Return a model's size: overrides first, else the catalog's; None where one of the two is not known."""
    active, total = use.overrides.get("model_active_params_b"), use.overrides.get("model_total_params_b")
    if model is None:
        return None if active is None or total is None else _given(active[:3], total[:3], active)
    given = active or total
    if given is not None:
        disclosed = model.disclosed or (active is not None and total is not None)
        active_b = active[:3] if active else _middle(model.active_b)
        total_b = total[:3] if total else _middle(model.total_b)
        return replace(_given(active_b, total_b, given), disclosed=disclosed)
    row = model.row
    return Parameters(
        active_b=_middle(model.active_b),
        total_b=_middle(model.total_b),
        disclosed=model.disclosed,
        midpoint=True,
        source=row["source"],
        id=f"{row[FILE]}:{model.name}",
        match="exact",
        valid_from=f"{row['source_year']}-01-01",
    )


def _given(active_b: Interval, total_b: Interval, given: Override) -> Parameters:
    """Return sizes of which at least one was given."""
    return Parameters(
        active_b=active_b,
        total_b=total_b,
        disclosed=True,
        midpoint=False,
        source=given.source,
        id=given.id or "override:model",
        match=given.match,
        valid_from=given.valid_from,
    )


def _middle(ends: tuple[float, float]) -> tuple[float, float, float]:
    return (ends[0] + ends[1]) / 2, ends[0], ends[1]


@dataclass(frozen=True)
class Serving:
    """Everything that the token formulas take for one use: size, rates, batch, bits and coefficients."""

    parameters: Parameters
    fit: Fit
    batch_size: float
    bits: float
    output_tps: float | None
    ttft_s: float | None
    model_name: str
    matched_by: str
    family: str

    def gpus(self, total_b: float) -> int:
        """Return the GPUs that hold the model."""
        return gpu_count(total_b, self.bits, self.fit.gpu_memory_gb)

    def seconds(self, active_b: float) -> float:
        """Return the seconds of one output token."""
        return token_seconds(active_b, self.batch_size, self.fit, self.output_tps)

    def factor(self, name: str, unit: str, formula: Callable[[float, float], float]) -> Factor:
        """Evaluate a formula of (active, total) over the interval of the parameters."""
        value, low, high = self.parameters.ends(formula)
        low, high = min(low, value), max(high, value)
        given = self.parameters
        detail: dict[str, str | int | float | bool] = {
            "model": self.model_name,
            "matched_by": self.matched_by,
            "active_params_b_low": given.active_b[1],
            "active_params_b_high": given.active_b[2],
            "total_params_b_low": given.total_b[1],
            "total_params_b_high": given.total_b[2],
            "gpus_low": self.gpus(given.total_b[1]),
            "gpus_high": self.gpus(given.total_b[2]),
            "batch_size": self.batch_size,
            "quantization_bits": self.bits,
        }
        return Factor(given.id, name, value, low, high, unit, given.source, given.valid_from, given.match, detail)


def serving_of(use: Use, context: Context) -> Serving | None:
    """Return how a use's model is taken to be served; None where its size is not known."""
    model = context.catalog.model(use.model, use.provider)
    parameters = parameters_of(use, model)
    fit = fit_of(context.pack)
    if parameters is None or fit is None:
        return None
    return Serving(
        parameters=parameters,
        fit=fit,
        batch_size=context.method.batch_size,
        bits=quantization_bits(use.techniques, context.method),
        output_tps=model.output_tps if model else None,
        ttft_s=model.ttft_s if model else None,
        model_name=model.name if model else (use.model or ""),
        matched_by=model.matched_by if model else "override",
        family=f"{model.vendor}:{model.family}" if model else f"override:{use.model or ''}",
    )


def time_measures(use: Use, serving: Serving) -> tuple[tuple[str, str, Callable[[float], float]], ...]:
    """
    Return which measures carry the serving time: server time where it was measured, else tokens and requests.

    Returns:
        ``(measure, unit, seconds of one unit as a function of the active parameters)``.
    """
    if "generation_s" in use.present:
        return (("generation_ns", "s", lambda active_b: 1.0),)
    carried: list[tuple[str, str, Callable[[float], float]]] = []
    if "output_tokens" in use.present:
        carried.append(("output_tokens", "output token", serving.seconds))
    ttft = serving.ttft_s
    if ttft and "requests" in use.present and "output_tokens" in use.present:
        carried.append(("requests", "request", lambda active_b: ttft))
    return tuple(carried)


def tokens(use: Use, context: Context) -> Energy | Refusal:
    """Turn tokens (and server time, where it is known) into energy for a model of known or assumed size."""
    serving = serving_of(use, context)
    if serving is None:
        return Refusal("unknown_model")
    method, fit, batch = context.method, serving.fit, serving.batch_size
    single = not serving.parameters.is_range and not serving.parameters.disclosed
    gsd = method.gsd["tokens_undisclosed" if single else "tokens"]
    width = Product.of(spread("token_spread", gsd, method.source))
    terms: list[EnergyTerm] = []

    def server(seconds: Callable[[float], float], active_b: float, total_b: float) -> float:
        return seconds(active_b) * server_kwh_per_s(serving.gpus(total_b), batch, fit)

    def decode(active_b: float, total_b: float) -> float:
        gpus = serving.gpus(total_b) * token_wh(active_b, batch, fit) / units.WH_PER_KWH
        return gpus + (server(serving.seconds, active_b, total_b) if "generation_s" not in use.present else 0.0)

    if "output_tokens" in use.present:
        terms.append(EnergyTerm("output_tokens", Product.of(serving.factor(_NAME, "kWh/output token", decode)) * width))
    for measure, unit, seconds in time_measures(use, serving):
        if measure != "output_tokens":
            factor = serving.factor(_NAME, f"kWh/{unit}", lambda a, t, s=seconds: server(s, a, t))  # type: ignore[misc]
            terms.append(EnergyTerm(measure, Product.of(factor) * width))
    terms += prefill_terms(use, serving, method)
    return Energy(
        method="tokens",
        terms=tuple(terms),
        data_quality=3 if serving.parameters.disclosed else 4,
        family=serving.family,
        notes=_notes(use, serving, method),
    )


_NAME: Final = "token_energy"


def prefill_terms(use: Use, serving: Serving, method: Methodology) -> tuple[EnergyTerm, ...]:
    """Return the energy of reading the prompt; cached tokens cost the share ``cached_token_share`` of others."""
    if not method.prefill or "input_tokens" not in use.present:
        return ()
    factor = serving.factor(_NAME, "kWh/input token", lambda active_b, _: prefill_kwh(active_b, method))
    width = Factor("methodology:prefill_spread", "prefill_spread", 1.0, 0.0, 2.0, "1", method.source, None, "default")
    energy = Product.of(factor, width)
    terms = [EnergyTerm("input_tokens", energy)]
    if "cached_input_tokens" in use.present:
        saved = 1.0 - method.cached_token_share
        share = Factor(
            "methodology:cached_token_share", "cached_saving", saved, saved, saved, "1", method.source, None, "default"
        )
        terms.append(EnergyTerm("cached_input_tokens", energy * Product.of(share), sign=-1))
    return tuple(terms)


_ASSUMED: Final = {"fine_tuned": "fine_tuned_model", "snapshot": "model_snapshot_assumed"}
"""How a model was recognised, to the note that says what was taken for it."""


def _notes(use: Use, serving: Serving, method: Methodology) -> tuple[str, ...]:
    notes = []
    if serving.matched_by in _ASSUMED:
        notes.append(_ASSUMED[serving.matched_by])
    if not serving.parameters.disclosed:
        notes.append("undisclosed_parameters")
    if "output_tokens" not in use.present:
        notes.append("no_output_tokens")
    if not method.prefill:
        notes.append("prefill_off")
    elif "input_tokens" not in use.present:
        notes.append("no_input_tokens")
    return tuple(notes)
