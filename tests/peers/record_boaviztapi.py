"""
Record what BoaviztAPI 2.5 answers for embodied impacts, into boaviztapi-2.5.json beside this file.

Its requirements do not fit beside ours, so it runs in an environment of its own:

    python3 -m venv /tmp/boaviztapi && /tmp/boaviztapi/bin/pip install boaviztapi==2.5.0
    /tmp/boaviztapi/bin/python tests/peers/record_boaviztapi.py

Figures are cradle to gate of the whole lifetime, as its models compute them before it rounds them by their uncertainty:
[kg CO2e, kg Sb-eq, MJ]. For instances the printed, rounded figure of CO2e stands beside.
"""

from __future__ import annotations

import csv
import json
from importlib.metadata import version
from pathlib import Path

from boaviztapi.compute.impacts_computation import compute_single_impact
from boaviztapi.data.archetype import get_cloud_instance_archetype, get_server_archetype
from boaviztapi.models.component import ComponentGPU
from boaviztapi.models.component.gpu import _gpu_specs
from boaviztapi.models.device.server import DeviceServer
from boaviztapi.models.services.cloud_instance import ServiceCloudInstance

HERE = Path(__file__).parent
INSTANCES = HERE.parents[1] / "core/factors/data/cloud_instances--boavizta-2.5.csv"
SERVERS = (
    "platform_compute_low",
    "platform_compute_medium",  # its default
    "platform_compute_high",
    "dellR740",
    "platfom_gpucompute_medium",
    "platfom_gpucompute_veryhigh",
    "g4dn.metal",
    "p4d.24xlarge",
    "p5.48xlarge",
)
GPU_LIFETIME_H = 35_040
MEASURES = ("name", "units", "die_size", "capacity", "density", "unit_weight")


def embedded(model: object, lifetime_h: float) -> dict[str, float]:
    """Compute making the hardware, all units of it, over its lifetime. [kg CO2e, kg Sb-eq, MJ]"""
    return {
        criterion: compute_single_impact(model, "embedded", criterion, lifetime_h).value
        for criterion in ("gwp", "adp", "pe")
    }


def server(name: str) -> dict[str, object]:
    model = DeviceServer(archetype=get_server_archetype(name))
    lifetime_h = model.usage.hours_life_time.value
    whole = embedded(model, lifetime_h)  # gives its parts their sizes, and its own lifetime
    parts = []
    for part in model.components:
        sizes = {at: getattr(part, at).value for at in MEASURES if hasattr(part, at) and getattr(part, at).has_value()}
        parts.append({"part": part.NAME, **sizes, **embedded(part, lifetime_h)})
    return {"name": name, "lifetime_h": lifetime_h, **whole, "parts": parts}


def gpu(name: str) -> dict[str, object]:
    model = ComponentGPU()
    model.name.set_input(name)
    model.usage.hours_life_time.set_input(GPU_LIFETIME_H)
    return {"name": name, **embedded(model, GPU_LIFETIME_H)}


def instance(provider: str, name: str) -> dict[str, object]:
    size = name.removeprefix("Standard_").lower() if provider == "azure" else name
    model = ServiceCloudInstance(archetype=get_cloud_instance_archetype(size, provider))
    lifetime_h = model.platform.usage.hours_life_time.value
    printed = compute_single_impact(model, "embedded", "gwp", lifetime_h).rounded_value()
    impacts = embedded(model, lifetime_h)
    return {"provider": provider, "name": name, "lifetime_h": lifetime_h, **impacts, "gwp_printed": printed}


def main() -> None:
    with INSTANCES.open() as file:
        instances = [(row["provider"], row["instance_type"]) for row in csv.DictReader(file)]
    answers = {
        "boaviztapi": version("boaviztapi"),
        "command": "python tests/peers/record_boaviztapi.py",
        "servers": [server(name) for name in SERVERS],
        "gpus": [gpu(name) for name in _gpu_specs["name"]],
        "instances": [instance(*each) for each in instances],
    }
    (HERE / "boaviztapi-2.5.json").write_text(json.dumps(answers, indent=1) + "\n")


if __name__ == "__main__":
    main()
