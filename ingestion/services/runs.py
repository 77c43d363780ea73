"""What agents announce before they send, and what an organization says of their experiments."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from core.identifiers import uuid7
from core.organizations.identity import Identity
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from ingestion.models import CodeCarbonExperiment, CodeCarbonRun


def announce_run(*, identity: Identity, body: dict[str, Any]) -> UUID:
    """Keep what a CodeCarbon tracker says of its machine; give the id under which its emissions come."""
    run_id = uuid7()
    with organization_scope(identity.organization_id):
        CodeCarbonRun.objects.bulk_create(
            [CodeCarbonRun(id=run_id, organization_id=identity.organization_id, body=body, token_id=identity.token_id)]
        )
    return run_id


def mark_used(organization_id: int, run_ids: list[str]) -> None:
    """Note that emissions of these runs arrived, inside the transaction that writes them; the others are deleted one day."""
    if run_ids:
        unused = CodeCarbonRun.objects.filter(organization_id=organization_id, id__in=run_ids, emitted=False)
        unused.update(emitted=True)


class ExperimentError(Exception):
    """An experiment that cannot be made; the message says why."""


def create_experiment(
    *, organization_id: int, name: str, pue: float | None = None, **bound: str
) -> CodeCarbonExperiment:
    """
    Make an experiment: trackers that name its id count for its team, project and stage.

    Args:
        organization_id: whose.
        name: for people; unique.
        pue: what the trackers were told as their `pue`; above 1 it is inside the energy that they send.
        bound: team, project, stage, hosting; empty ones are left to the token and to rules.

    Raises ExperimentError when one of that name exists.
    """
    with organization_scope(organization_id):
        experiment, created = CodeCarbonExperiment.objects.get_or_create(
            organization_id=organization_id, name=name, defaults={"pue": pue, **bound}
        )
        if not created:
            raise ExperimentError(f"An experiment {name!r} exists already.")
        record_event(
            organization_id=organization_id,
            action="create_experiment",
            object_type="codecarbon_experiment",
            object_id=experiment.id,
            after={"name": name, "pue": pue, **bound},
        )
    return experiment
