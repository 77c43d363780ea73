"""
Facts: where records come from and what they are about.

Only the small tables are models. The hot ones (``ledger_identity``, ``ledger_record``, ``ledger_record_text``, ``ledger_cell``)
have composite keys and partitions and are written by COPY: their columns stand in migration 0002_hot_tables.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.organizations.models import Organization


class Source(models.Model):
    """A connection that sends: one wire format under one name. Record ids are unique inside it."""

    organization = models.ForeignKey(Organization, models.PROTECT)
    kind = models.CharField(max_length=64, help_text="the wire format: activity, codecarbon, focus, ...")
    name = models.CharField(max_length=200)
    settings = models.JSONField(
        default=dict,
        blank=True,
        help_text="max_age_days, count, and the attribution defaults team, project, environment, hosting, stage",
    )
    paused = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "kind", "name"], name="source_name"),
            models.UniqueConstraint(fields=["organization", "id"], name="source_of_organization"),
        ]

    def __str__(self) -> str:
        return self.name if self.name == self.kind else f"{self.name} ({self.kind})"


class Series(models.Model):
    """A distinct combination of dimensions, as reported, with the mask of the measures that its records have."""

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    key = models.UUIDField(help_text="hash of everything below but created_at, see cells.distinct_series")
    source = models.ForeignKey(Source, models.PROTECT, db_constraint=False, db_index=False)
    account = models.TextField(null=True)
    team = models.TextField(null=True)
    project = models.TextField(null=True)
    application = models.TextField(null=True)
    task = models.TextField(null=True)
    environment = models.TextField(null=True)
    site = models.TextField(null=True)
    stage = models.TextField(null=True)
    hosting = models.TextField(null=True)
    provider = models.TextField(null=True)
    region = models.TextField(null=True)
    zone = models.TextField(null=True)
    model = models.TextField(null=True)
    hardware = models.TextField(null=True)
    instance_type = models.TextField(null=True)
    tier = models.TextField(null=True)
    evidence = models.TextField(null=True)
    energy_boundary = models.TextField(null=True)
    reported_basis = models.TextField(null=True)
    currency = models.TextField(null=True)
    techniques = ArrayField(models.TextField(), default=list)
    labels = models.JSONField(default=dict)
    mask = models.BigIntegerField(help_text="bits of activity.MASK_BITS")
    grain = models.TextField(choices=[("hour", "hour"), ("day", "day")])
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "series"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "key"], name="series_key"),
            models.UniqueConstraint(fields=["organization", "id"], name="series_of_organization"),
        ]
        indexes: ClassVar = [
            # New series of a source and month are counted before more are made (services.Writer).
            models.Index(fields=["organization", "source", "created_at"], name="series_of_source"),
        ]

    def __str__(self) -> str:
        return f"series {self.pk}"


class Snapshot(models.Model):
    """The delivery scope of a source that restates whole periods, such as one account's bill of one month."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    source = models.ForeignKey(Source, models.PROTECT, db_constraint=False, db_index=False)
    name = models.TextField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "source", "name"], name="snapshot_name"),
            models.UniqueConstraint(fields=["organization", "id"], name="snapshot_of_organization"),
        ]

    def __str__(self) -> str:
        return self.name


class DeletionState(models.TextChoices):
    DELETING = "deleting", _("Being deleted")
    DELETED = "deleted", _("Deleted")
    RESTORING = "restoring", _("Being restored")
    RESTORED = "restored", _("Restored")


class Deletion(models.Model):
    """
    A period of a source that somebody deleted: each of its records is taken back by a correction, never removed.

    Which records that were stands in ``ledger_deleted_record`` for as long as they are deleted.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    source = models.ForeignKey(Source, models.PROTECT, db_constraint=False, db_index=False)
    from_day = models.DateField(help_text="UTC; of the start of records")
    to_day = models.DateField(help_text="inclusive")
    reason = models.TextField()
    state = models.CharField(max_length=16, choices=DeletionState.choices, default=DeletionState.DELETING)
    batch_id = models.UUIDField(help_text="batch of the corrections that take the records back")
    restore_batch_id = models.UUIDField(null=True, help_text="batch of those that bring them again")
    days = models.IntegerField(default=0, help_text="that have something to be done")
    days_done = models.IntegerField(default=0)
    reached = models.DateField(null=True, help_text="latest day that is done, while it works")
    records = models.BigIntegerField(default=0, help_text="ledger records taken back")
    restored = models.BigIntegerField(default=0, help_text="ledger records brought again")
    asked_by = models.TextField(blank=True)
    asked_at = models.DateTimeField(db_default=Now())
    deleted_at = models.DateTimeField(null=True)
    restored_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="deletion_of_organization"),
            models.CheckConstraint(condition=models.Q(state__in=DeletionState.values), name="deletion_state"),
            models.CheckConstraint(condition=models.Q(from_day__lte=models.F("to_day")), name="deletion_period"),
        ]
        indexes: ClassVar = [models.Index(fields=["organization", "source"], name="deletion_of_source")]

    def __str__(self) -> str:
        return f"{self.from_day} to {self.to_day} of source {self.source_id}: {self.state}"


class DirtyDay(models.Model):
    """
    A mark: cells of this day changed. Appended by every write, deleted by the derive that has seen the change.

    Marks are rows of their own and never updated, so writers do not wait for each other; derive deletes the ids it read
    before it read the cells.
    """

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    day = models.DateField(help_text="UTC")
    marked_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "ledger_dirty_day"
        indexes: ClassVar = [models.Index(fields=["organization", "day"], name="dirty_day")]

    def __str__(self) -> str:
        return f"{self.day} of organization {self.organization_id}"
