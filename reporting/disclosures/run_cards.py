"""What a run's figures look like in two formats that others read: metadata of a model card, and a BoAmps report."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

BOAMPS_VERSION: Final = "1.1.0"
NAMESPACE: Final = uuid.UUID("6f1c0a52-6f0e-5d1b-9c39-6a8a1d7f6f10")
TASK_STAGES: Final = {"fine_tuning": "finetuning", "inference": "inference"}
TRAINING_TYPES: Final = {"training": "pre-training", "fine_tuning": "fine-tuning"}
INFRASTRUCTURES: Final = {"owned": "onPremise", "colocated": "onPremise", "cloud": "publicCloud", "api": "publicCloud"}
QUALITIES: Final = ((0.10, "high"), (0.25, "medium"), (0.50, "low"))
"""BoAmps: the error of the energy, as a share of it, up to which a report may call itself so."""


@dataclass(frozen=True)
class RunFacts:
    """
    What is known of a run; None is not known.

    Args:
        organization, name: whose run, and its sender's id for it.
        methods: how its energy was found, best first.
        it_kwh: of the equipment, with its bounds. [kWh]
        location_kg: of its electricity at the facility, location-based. [kg CO2e]
        embodied_kg: amortised share of the hardware, which is beside it. [kg CO2e]
        devices: how many on average.
    """

    organization: str
    name: str
    stage: str
    model: str | None
    hosting: str | None
    provider: str | None
    zone: str | None
    hardware: str | None
    devices: int | None
    utilization: float | None
    methods: tuple[str, ...]
    methodology: str
    started_at: datetime
    seconds: float
    it_kwh: float | None
    it_kwh_low: float | None
    it_kwh_high: float | None
    facility_kwh: float | None
    location_kg: float | None
    embodied_kg: float | None


def model_card(facts: RunFacts) -> str:
    """
    Write the key ``co2_eq_emissions`` of a model card's front matter: grams, location-based, PUE included, without embodied.

    The text is YAML; every text in it is a JSON string, which YAML reads the same.
    """
    embodied = (
        "" if facts.embodied_kg is None else f" Embodied share of the hardware, not added: {facts.embodied_kg:.6g} kg."
    )
    source = (
        f"Wattledger, methodology {facts.methodology}, {', '.join(facts.methods) or 'no method'};"
        f" location-based, electricity of the run with PUE.{embodied}"
    )
    fields = {
        "emissions": None if facts.location_kg is None else round(facts.location_kg * 1000, 3),
        "source": source,
        "training_type": TRAINING_TYPES.get(facts.stage, facts.stage.replace("_", " ")),
        "geographical_location": facts.zone or "not known",
        "hardware_used": hardware_of(facts),
    }
    lines = [
        f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items() if value is not None
    ]
    return "\n".join(["---", "co2_eq_emissions:", *lines, "---", ""])


def hardware_of(facts: RunFacts) -> str:
    """Name the hardware with how many there were, as far as that is known."""
    if facts.hardware is None:
        return "not known"
    return f"{facts.devices} x {facts.hardware}" if facts.devices else facts.hardware


def boamps(facts: RunFacts, *, reported_at: datetime) -> dict[str, Any]:
    """
    Lay a run out as a BoAmps report (format 1.1.0) of one computing task; what is not known is left out.

    It reports energy at the equipment, in kWh in spite of the field's name, and no emissions. What the format asks for and a
    ledger does not know (family of the task, data sets) is named ``other``, so that somebody who knows fills it in.
    """
    measure = {
        "measurementMethod": ", ".join(facts.methods) or "none",
        "powerConsumption": facts.it_kwh,
        "measurementDuration": facts.seconds,
        "measurementDateTime": stamp(facts.started_at),
        "averageUtilizationGpu": facts.utilization,
    }
    component = {"componentType": "gpu", "componentName": facts.hardware, "nbComponent": facts.devices}
    report = {
        "header": {
            "formatVersion": BOAMPS_VERSION,
            "reportId": str(uuid.uuid5(NAMESPACE, f"{facts.organization}\0{facts.name}\0{facts.stage}")),
            "reportDatetime": stamp(reported_at),
            "reportStatus": "draft",
            "publisher": {"name": facts.organization, "confidentialityLevel": "confidential"},
        },
        "task": {
            "taskStage": TASK_STAGES.get(facts.stage, "training"),
            "taskFamily": "other",
            "taskDescription": f"Run {facts.name}; energy at the equipment, methodology {facts.methodology}.",
            "algorithms": [{"foundationModelName": facts.model, "trainingType": TRAINING_TYPES.get(facts.stage)}],
            "dataset": [{"dataUsage": "input", "dataType": "other"}],
        },
        "measures": [measure],
        "infrastructure": {
            "infraType": INFRASTRUCTURES.get(facts.hosting or "", "other"),
            "cloudProvider": facts.provider if facts.hosting in ("cloud", "api") else None,
            "components": [component] if facts.hardware and facts.devices else [],
        },
        "environment": {"country": (facts.zone or "")[:2] or None, "powerSourceCarbonIntensity": intensity(facts)},
        "quality": quality(facts),
    }
    return dict(without_nothing(report))


def intensity(facts: RunFacts) -> float | None:
    """Give the mean location-based intensity of the run's electricity. [g CO2e/kWh]"""
    if facts.location_kg is None or not facts.facility_kwh:
        return None
    return facts.location_kg * 1000 / facts.facility_kwh


def quality(facts: RunFacts) -> str | None:
    """Name the quality of the energy by its wider half; None above 50 %, and where no bounds are known."""
    if not facts.it_kwh or facts.it_kwh_low is None or facts.it_kwh_high is None:
        return None
    error = max(facts.it_kwh - facts.it_kwh_low, facts.it_kwh_high - facts.it_kwh) / facts.it_kwh
    return next((name for limit, name in QUALITIES if error <= limit), None)


def without_nothing(value: Any) -> Any:
    """Leave out what is None, all the way down."""
    if isinstance(value, dict):
        return {name: without_nothing(each) for name, each in value.items() if each is not None}
    return [without_nothing(each) for each in value] if isinstance(value, list) else value


def stamp(moment: datetime) -> str:
    """
    Write a time as BoAmps does.

    >>> stamp(datetime(2026, 7, 1, 12, 30, tzinfo=UTC))
    '2026-07-01 12:30:00'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
