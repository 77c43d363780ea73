"""GET /api/v1/batches/{id} and its rejected rows: what became of a payload."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec
from django.http import Http404, StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.organizations.policy import Action, may
from core.organizations.tenancy import organization_scope
from core.problems import Problem
from ingestion import selectors
from ingestion.models import Batch, State

PAGE_ROWS = 1000


class RejectedSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField(help_text="number of the payload's row, from 1")
    record_id = serializers.CharField(allow_null=True)
    field = serializers.CharField(allow_null=True)
    reason = serializers.CharField()
    detail = serializers.CharField()


class CountsSerializer(serializers.Serializer[Any]):
    received = serializers.IntegerField()
    written = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    outside = serializers.IntegerField()


class BatchSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    source = serializers.CharField()  # type: ignore[assignment]  # a Field has a `source` of its own
    state = serializers.ChoiceField(State.choices)
    received_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    counts = CountsSerializer()
    rejected = RejectedSerializer(many=True)
    log = serializers.ListField(child=serializers.CharField())


class BatchView(APIView):
    """One batch."""

    @extend_schema(operation_id="batch", responses=BatchSerializer)
    def get(self, request: Request, batch_id: UUID) -> Response:
        """Tell where a payload is and what became of each of its rows."""
        return Response(selectors.batch_object(batch_or_404(request, batch_id)))


class RejectedView(APIView):
    """The rows of a batch that went to quarantine."""

    @extend_schema(operation_id="batch_rejected", responses=RejectedSerializer(many=True))
    def get(self, request: Request, batch_id: UUID) -> StreamingHttpResponse:
        """List all of them in their order."""
        batch = batch_or_404(request, batch_id)
        return StreamingHttpResponse(as_json_array(batch), content_type="application/json")


def as_json_array(batch: Batch) -> Iterator[bytes]:
    """Write a batch's rejected rows page by page, each page in a scope of its own, since the request's has ended."""
    after, separator = 0, b"["
    while True:
        with organization_scope(batch.organization_id):
            page = list(selectors.rejected_rows(batch).filter(id__gt=after)[:PAGE_ROWS])
        for row in page:
            yield separator + msgspec.json.encode(selectors.rejected_object(row))
            separator = b",\n "
        if len(page) < PAGE_ROWS:
            yield b"]" if separator != b"[" else b"[]"
            return
        after = page[-1].id


def batch_or_404(request: Request, batch_id: UUID) -> Batch:
    """Find a batch that the asker may see; 403 for those who may see none, 404 for another's."""
    identity: Any = request.user
    if not (may(identity, Action.SEE_SOURCES) or may(identity, Action.INGEST)):
        raise Problem(403, "not-allowed", "This needs a role that sees sources, or the token that sent the batch.")
    batch = selectors.visible_batch(identity, batch_id)
    if batch is None:
        raise Http404
    return batch
