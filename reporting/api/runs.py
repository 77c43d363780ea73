"""GET /api/v1/runs/{run}: what a run emitted, by the id that its sender gave it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404
from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.organizations.policy import Action, narrowing_of_runs
from reporting.selectors.runs import FIGURES, SUFFIXES, Run, run_of


def figure_fields() -> dict[str, serializers.FloatField]:
    """Declare each figure with its bounds."""
    return {name + suffix: serializers.FloatField(allow_null=True) for name in FIGURES for suffix in SUFFIXES}


RunFigures = type("RunFigures", (serializers.Serializer,), figure_fields())


@extend_schema_serializer(component_name="Run")
class RunSerializer(RunFigures):  # type: ignore[valid-type, misc]  # made above
    run = serializers.CharField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField()
    records = serializers.IntegerField()
    role = serializers.CharField(help_text="counted; cross_check where another source counts in its place")
    link = serializers.URLField(help_text="its page")


class RunView(APIView):
    """One run."""

    one_snapshot = True
    action_needed = Action.SEE_OWN_TEAM

    @extend_schema(operation_id="run", responses=RunSerializer)
    def get(self, request: Request, run: str) -> Response:
        """Answer energy, emissions and water of a run, with bounds, from its records as they stand in the ledger."""
        identity: Any = request.user
        found = run_of(identity.organization_id, run, narrowing_of_runs(identity))
        if found is None:
            raise Http404(f"No record names the run {run!r}.")
        return Response(as_dict(found))


def as_dict(run: Run) -> dict[str, Any]:
    """Give a run as contracts.md section 4 shows it."""
    return {
        "run": run.name,
        "started_at": stamp(run.started_at),
        "ended_at": stamp(run.ended_at),
        "records": run.records,
        "role": run.role,
        **run.figures,
        "link": settings.BASE_URL + reverse("run", args=[run.name]),
    }


def stamp(moment: Any) -> str:
    """Write a time in the `Z` form."""
    return str(moment.isoformat()).replace("+00:00", "Z")
