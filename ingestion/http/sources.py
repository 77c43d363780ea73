"""GET /api/v1/sources: whether the data of each source is arriving, for monitors of an organization's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.organizations.policy import Action
from ingestion import selectors
from ingestion.arrivals import TONES


class AlertSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(("late", "silent", "failing"))
    opened_at = serializers.DateTimeField()


class SourceSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    kind = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(tuple(TONES))
    latest_arrival = serializers.DateTimeField(allow_null=True)
    expected_every_h = serializers.FloatField(help_text="longest time between two arrivals that raises no alert")
    received_30d = serializers.IntegerField(help_text="payload rows of the last 30 days")
    written_30d = serializers.IntegerField()
    quarantined_30d = serializers.IntegerField()
    quarantine_open = serializers.IntegerField(help_text="rows of any age that wait for somebody")
    alert = AlertSerializer(allow_null=True, help_text="the open one, raised within a minute or two of the state")


class SourcesView(APIView):
    """All sources."""

    action_needed = Action.SEE_SOURCES

    @extend_schema(operation_id="sources", responses=SourceSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the sources with their state and their open alert."""
        organization_id = request.user.organization_id  # type: ignore[union-attr]
        cards = selectors.source_cards(organization_id, datetime.now(UTC))
        return Response([selectors.source_object(card) for card in cards])
