"""Files that somebody asked for."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.accounting.models import View
from core.organizations.models import Organization


class ExportState(models.TextChoices):
    """Where a file that was asked for is."""

    WAITING = "waiting", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class Export(models.Model):
    """A file too large to be answered at once: a worker writes it, and it can be fetched until it expires."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    from_day = models.DateField(help_text="first day of the records, UTC")
    to_day = models.DateField(help_text="last day, inclusive, UTC")
    dims = models.JSONField(help_text="dimension to the values that are kept, what narrows who asked included")
    failed_only = models.BooleanField(default=False, help_text="only records with failed requests")
    view = models.ForeignKey(
        View, models.PROTECT, null=True, db_constraint=False, db_index=False, help_text="null: the current one"
    )
    address = models.TextField(help_text="of the list that it was asked on")
    state = models.TextField(choices=ExportState.choices, default=ExportState.WAITING)
    rows = models.BigIntegerField(help_text="that there were by the daily rows when it was asked for")
    rows_done = models.BigIntegerField(default=0)
    size_bytes = models.BigIntegerField(default=0, help_text="of the file, compressed")
    error = models.TextField(blank=True, help_text="why it failed, for people")
    person_id = models.IntegerField(null=True, help_text="who asked")
    asked_by = models.TextField(help_text="who asked, as the audit log names them")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="export_of_organization"),
            models.CheckConstraint(condition=models.Q(state__in=ExportState.values), name="export_state"),
            models.CheckConstraint(condition=models.Q(to_day__gte=models.F("from_day")), name="export_period"),
        ]

    def __str__(self) -> str:
        return f"export {self.pk} ({self.state})"


class ExportPart(models.Model):
    """One gzip member of an export's file; one after the other they are the file."""

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    export = models.ForeignKey(Export, models.CASCADE, db_constraint=False, db_index=False, related_name="parts")
    number = models.IntegerField(help_text="from 0")
    content = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "export", "number"], name="export_part_once"),
        ]

    def __str__(self) -> str:
        return f"part {self.number} of export {self.export_id}"
