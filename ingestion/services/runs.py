"""What agents announce before they send, and what an organization says of their experiments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.utils.crypto import salted_hmac

from core.identifiers import uuid7
from core.ledger.runs import live_runs
from core.organizations.identity import Identity
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from ingestion.models import CodeCarbonExperiment, CodeCarbonRun
from ingestion.sources.codecarbon import MACHINE, is_default_place


def announce_run(*, identity: Identity, body: dict[str, Any]) -> UUID:
    """
    Keep what a CodeCarbon tracker says of its machine, but not where it stands; give the id under which its emissions come.

    Runs that track a whole machine and look alike are numbered while they live, so that derive counts the machine once.
    """
    run_id = uuid7()
    body = _without_coordinates(identity.organization_id, body)
    with organization_scope(identity.organization_id):
        if body.get("tracking_mode") == "machine":
            body = {**body, "concurrent": _concurrent(identity.organization_id, body, datetime.now(UTC))}
        CodeCarbonRun.objects.bulk_create(
            [CodeCarbonRun(id=run_id, organization_id=identity.organization_id, body=body, token_id=identity.token_id)]
        )
    return run_id


COORDINATES: Final = ("longitude", "latitude")


def _without_coordinates(organization_id: int, body: dict[str, Any]) -> dict[str, Any]:
    """Replace the coordinates by a keyed hash, which tells machines at different places apart and nothing else."""
    longitude, latitude = (body.get(name) for name in COORDINATES)
    rest = {name: value for name, value in body.items() if name not in COORDINATES}
    if longitude is None or latitude is None:
        return rest
    hashed = salted_hmac("wattledger.codecarbon.place", f"{organization_id} {longitude} {latitude}", algorithm="sha256")
    return rest | {"unlocated": is_default_place(longitude, latitude), "place": hashed.hexdigest()[:16]}


LIVE_UNHEARD: Final = timedelta(minutes=15)
LIVE_SINCE_RECORD: Final = timedelta(hours=1)
LONGEST: Final = timedelta(days=30)


def _concurrent(organization_id: int, body: dict[str, Any], now: datetime) -> int:
    """
    Number a run among those of its machine that live: the first number that none of them has.

    A run lives for a quarter of an hour after it was announced, and an hour after the end of its latest record.
    """
    alike = {f"body__{name}": body[name] for name in (*MACHINE, "place") if body.get(name) is not None}
    with connection.cursor() as cursor:
        key = f"wattledger codecarbon {organization_id} {body.get('experiment_id')}"
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
    recent = CodeCarbonRun.objects.filter(
        organization_id=organization_id, created_at__gt=now - LONGEST, body__tracking_mode="machine", **alike
    )
    unheard, heard = set[int](), dict[str, int]()
    for run_id, other, created_at in recent.values_list("id", "body", "created_at"):
        number = int(other.get("concurrent") or 0)
        if created_at > now - LIVE_UNHEARD:
            unheard.add(number)
        else:
            heard[str(run_id)] = number
    taken = unheard | {heard[run] for run in live_runs(organization_id, list(heard), now - LIVE_SINCE_RECORD)}
    return next(number for number in range(len(taken) + 1) if number not in taken)


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
