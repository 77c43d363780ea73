"""EcoLogits' own computation, end by end, in the words of our impacts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ecologits.electricity_mix_repository import electricity_mixes
from ecologits.impacts.llm import compute_llm_impacts
from ecologits.impacts.modeling import Impacts
from ecologits.model_repository import ParametersMoE, models
from ecologits.tracers.utils import PROVIDER_CONFIG_MAP
from ecologits.utils.range_value import RangeValue

END_NAMES = ("min", "max")


@dataclass(frozen=True)
class Request:
    """One request: the arguments that EcoLogits' tracers make of a provider, a model and its answer's tokens."""

    provider: str
    model: str
    output_tokens: int

    def arguments(self) -> dict[str, object]:
        """Look up what `compute_llm_impacts` takes. No measured latency, so nothing is capped."""
        model = models.find_model(provider=self.provider, model_name=self.model)
        config = PROVIDER_CONFIG_MAP[self.provider]
        mix = electricity_mixes.find_electricity_mix(zone=config.datacenter_location)
        parameters = model.architecture.parameters
        moe = isinstance(parameters, ParametersMoE)
        return {
            "model_active_parameter_count": parameters.active if moe else parameters,
            "model_total_parameter_count": parameters.total if moe else parameters,
            "output_token_count": self.output_tokens,
            "if_electricity_mix_adpe": mix.adpe,
            "if_electricity_mix_pe": mix.pe,
            "if_electricity_mix_gwp": mix.gwp,
            "if_electricity_mix_wue": mix.wue,
            "datacenter_pue": config.datacenter_pue,
            "datacenter_wue": config.datacenter_wue,
            "request_latency": math.inf,
            "tps": model.deployment.tps if model.deployment else None,
            "ttft": model.deployment.ttft if model.deployment else None,
        }

    def mix_g_per_kwh(self) -> float:
        """Return the carbon intensity that EcoLogits assumes for this provider. [g CO2e/kWh]"""
        mix = electricity_mixes.find_electricity_mix(zone=PROVIDER_CONFIG_MAP[self.provider].datacenter_location)
        return mix.gwp * 1000


def every_model(output_tokens: int) -> Iterator[Request]:
    """Make a request to each model that EcoLogits knows."""
    for model in models.list_models():
        yield Request(model.provider.value, model.name, output_tokens)


def compute(request: Request) -> Impacts:
    """Run EcoLogits."""
    return compute_llm_impacts(**request.arguments())


def ends(impacts: Impacts) -> dict[str, tuple[float, float]]:
    """Read impacts as (min, max) under the names of our columns; equal where EcoLogits has one number."""
    values = {
        "energy_facility_kwh": impacts.energy.value,
        "location_kg_co2e": impacts.usage.gwp.value,
        "embodied_kg_co2e": impacts.embodied.gwp.value,
        "adpe_kg_sbeq": impacts.adpe.value,
        "primary_energy_mj": impacts.pe.value,
        "water_l": impacts.wcf.value,
    }
    return {name: both(value) for name, value in values.items()}


def both(value: RangeValue | float) -> tuple[float, float]:
    return (value.min, value.max) if isinstance(value, RangeValue) else (value, value)
