"""
What came in: batches and their state, rows in quarantine, and what agents announce before they send.

The payloads themselves lie in ``ingestion_payload`` (migration 0002_inbox), partitioned by day: bytes are written once, read
by one worker and dropped whole, while the narrow batch rows change state and stay.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.identifiers import uuid7
from core.ledger.models import Source
from core.organizations.models import Organization
from core.quantification.rejections import REASONS, Reason


class State(models.TextChoices):
    """Where a batch is. A held batch is pending, with the reason in ``held``."""

    PENDING = "pending", _("Waiting")
    PROCESSING = "processing", _("Being read")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")


class Batch(models.Model):
    """One payload, or the files of one delivery, on its way from a door to the ledger."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    source = models.ForeignKey(Source, models.PROTECT, db_constraint=False, db_index=False)
    kind = models.CharField(max_length=64, help_text="wire format, a name of ingestion.sources.registry")
    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    held = models.TextField(blank=True, default="", help_text="why it waits for somebody's confirmation")
    confirmed = models.BooleanField(default=False, help_text="somebody let a held delivery pass")
    in_order = models.BooleanField(
        default=False, help_text="restates periods: earlier deliveries of its source go first"
    )
    dry_run = models.BooleanField(default=False, help_text="read and compared with the ledger, never written")
    payload_of = models.UUIDField(null=True, help_text="the batch whose payload this one reads again")
    replay = models.BooleanField(default=False, help_text="reads only the rows in quarantine that point at it")

    received_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(null=True, help_text="not before, after a failed attempt")
    attempts = models.PositiveSmallIntegerField(default=0)

    announced = models.BigIntegerField(null=True, help_text="rows that the door answered with; null: not counted there")
    received = models.BigIntegerField(default=0)
    written = models.BigIntegerField(default=0)
    duplicate = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)
    outside = models.BigIntegerField(default=0)
    outside_by = models.JSONField(default=list, help_text="[{classification, service, currency, rows, cost}]")
    log = ArrayField(models.TextField(), default=list)

    filename = models.TextField(blank=True, default="", help_text="of a file; of a push the last part of the address")
    size_bytes = models.BigIntegerField(help_text="as stored")
    body_hash = models.BinaryField(
        max_length=32, help_text="sha256 of the unpacked, scrubbed body or of the file hashes"
    )
    idempotency_key = models.CharField(max_length=255, blank=True, default="")

    # Defaults of the token, as they were at the time: records without attribution of their own take them.
    team = models.CharField(max_length=200, blank=True, default="")
    team_only = models.BooleanField(
        default=False,
        db_default=False,
        help_text="its token sends for that team alone, so it holds no record of another",
    )
    project = models.CharField(max_length=200, blank=True, default="")
    stage = models.CharField(max_length=32, blank=True, default="")

    token_id = models.IntegerField(null=True)
    person_id = models.IntegerField(null=True)
    request_id = models.CharField(max_length=64, blank=True, default="")
    audit_sequence = models.BigIntegerField(null=True, help_text="the audit event that covers it (docs/adr/0007)")

    class Meta:
        verbose_name_plural = "batches"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="batch_of_organization"),
            models.CheckConstraint(condition=models.Q(state__in=State.values), name="batch_state"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["organization", "id"],
                name="batch_waiting",
                condition=models.Q(state__in=[State.PENDING, State.PROCESSING]),
            ),
            models.Index(fields=["organization", "source", "-id"], name="batch_of_source"),
            models.Index(
                fields=["organization", "idempotency_key", "received_at"],
                name="batch_idempotency_key",
                condition=~models.Q(idempotency_key=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id} {self.state}"

    @property
    def counts(self) -> dict[str, int]:
        """Give the five counts; once done the first is the sum of the others."""
        return {name: getattr(self, name) for name in COUNTS}


COUNTS = ("received", "written", "duplicate", "quarantined", "outside")


class QuarantineState(models.TextChoices):
    OPEN = "open", _("Open")
    REPLAYED = "replayed", _("Replayed")
    DISCARDED = "discarded", _("Discarded")


class QuarantinedRow(models.Model):
    """A row that could not become a record: which, why, and what was read. Never dropped, only resolved."""

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    batch = models.ForeignKey(Batch, models.PROTECT, db_constraint=False, db_index=False)
    source = models.ForeignKey(Source, models.PROTECT, db_constraint=False, db_index=False)
    file = models.PositiveSmallIntegerField(default=1, help_text="which file of the delivery")
    row = models.BigIntegerField(help_text="from 1, in its file")
    rows = models.PositiveIntegerField(default=1, help_text="payload rows that it stands for")
    record_id = models.CharField(max_length=400, null=True)
    field = models.TextField(null=True)
    reason = models.CharField(max_length=64)
    detail = models.TextField(blank=True, default="")
    payload = models.JSONField(null=True, help_text="the row as read; what names a person was dropped before")
    state = models.CharField(max_length=16, choices=QuarantineState.choices, default=QuarantineState.OPEN)
    first_seen = models.DateTimeField(db_default=Now())
    last_seen = models.DateTimeField(db_default=Now())
    times_sent = models.PositiveIntegerField(
        default=1, db_default=1, help_text="deliveries that held it, refused alike"
    )
    fingerprint = models.UUIDField(null=True, help_text="of what was read, field and reason: the same again waits once")
    resolved_at = models.DateTimeField(null=True)
    replayed_by = models.UUIDField(null=True, help_text="the batch that read it again")
    discard_reason = models.TextField(blank=True, default="")

    class Meta:
        db_table = "ingestion_quarantine"
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(state__in=QuarantineState.values), name="quarantine_state"),
            models.UniqueConstraint(
                fields=["organization", "source", "fingerprint"],
                condition=models.Q(state=QuarantineState.OPEN),
                name="quarantine_waits_once",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["organization", "batch", "id"], name="quarantine_of_batch"),
            models.Index(
                fields=["organization", "replayed_by"],
                name="quarantine_replayed_by",
                condition=models.Q(replayed_by__isnull=False),
            ),
            models.Index(
                fields=["organization", "reason", "source"],
                name="quarantine_open",
                condition=models.Q(state=QuarantineState.OPEN),
            ),
        ]

    def __str__(self) -> str:
        return f"row {self.row} of {self.batch_id}: {self.reason}"

    @property
    def about(self) -> Reason:
        """Say what is wrong and what to do."""
        return REASONS[self.reason]


class CodeCarbonRun(models.Model):
    """What a CodeCarbon tracker says about its machine before its first emission (formats.md A1)."""

    id = models.UUIDField(primary_key=True, default=uuid7, help_text="ours; the client names it in every emission")
    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    body = models.JSONField()
    token_id = models.IntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    emitted = models.BooleanField(default=False, help_text="an emission arrived; without one it is deleted after a day")

    class Meta:
        db_table = "ingestion_codecarbon_run"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="codecarbon_run_of_organization"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class CodeCarbonExperiment(models.Model):
    """An ``experiment_id`` that an organization has bound to a team, project, stage and site overhead."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    name = models.CharField(max_length=200)
    team = models.CharField(max_length=200, blank=True, default="")
    project = models.CharField(max_length=200, blank=True, default="")
    stage = models.CharField(max_length=32, blank=True, default="")
    hosting = models.CharField(max_length=16, blank=True, default="")
    pue = models.FloatField(
        null=True, blank=True, help_text="what its trackers were told; inside their energy when > 1"
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "ingestion_codecarbon_experiment"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="codecarbon_experiment_of_organization"),
            models.UniqueConstraint(fields=["organization", "name"], name="codecarbon_experiment_name"),
        ]

    def __str__(self) -> str:
        return self.name


class SourceAlert(models.Model):
    """A source from which nothing has come for too long, or nothing that could be read; closed when data is back."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    source = models.ForeignKey(Source, models.PROTECT, db_constraint=False, db_index=False)
    state = models.CharField(max_length=16, help_text="late, silent or failing; the latest while it is open")
    latest_arrival = models.DateTimeField(help_text="of the source, when the alert was raised")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "ingestion_source_alert"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "source"], condition=models.Q(closed_at=None), name="source_alert_open_once"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["late", "silent", "failing"]), name="source_alert_state"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["organization", "source", "-opened_at"], name="source_alert_of_source")
        ]

    def __str__(self) -> str:
        return f"{self.source_id} {self.state} since {self.opened_at}"


class Heartbeat(models.Model):
    """When a kind of background process was last seen at work. Belongs to the installation, not to an organization."""

    name = models.CharField(max_length=64, primary_key=True)
    beaten_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.beaten_at}"
