"""Periods that are closed: one inventory each, from the first snapshot to its publication, and never changed once approved."""

from __future__ import annotations

from typing import ClassVar, Final

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.identifiers import uuid7
from core.organizations.models import Organization, Person


class PeriodState(models.TextChoices):
    """How far a period is; one without an inventory is open."""

    OPEN = "open", _("open")
    SOFT_CLOSED = "soft_closed", _("soft close")
    IN_REVIEW = "in_review", _("in review")
    APPROVED = "approved", _("approved")
    PUBLISHED = "published", _("published")
    SUPERSEDED = "superseded", _("superseded")


LOCKED: Final = (PeriodState.APPROVED, PeriodState.PUBLISHED, PeriodState.SUPERSEDED)
"""From here on neither figures nor names change, below the ORM neither."""


STANDING: Final = (PeriodState.APPROVED, PeriodState.PUBLISHED)
DRAFTS: Final = (PeriodState.SOFT_CLOSED, PeriodState.IN_REVIEW)


class Inventory(models.Model):
    """
    A period's figures as one document, in canonical form: what was written down is what every export is made from.

    The database holds to it that a locked row never changes, that who approves is not who prepared unless the organization
    reviews alone, that each locked row names the hash of the one before it, and that periods of one kind do not overlap.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, help_text="also the document's own id")
    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    period = models.CharField(max_length=16, help_text="2026-Q3 and its like")
    kind = models.CharField(max_length=8, help_text="month, quarter or year")
    from_day = models.DateField()
    to_day = models.DateField(help_text="inclusive")
    state = models.CharField(max_length=16, choices=PeriodState.choices, default=PeriodState.SOFT_CLOSED)
    document = models.TextField(help_text="inventory.schema.json in canonical form, byte for byte")
    sha256 = models.CharField(max_length=64, help_text="of the document without this hash")
    previous_sha256 = models.CharField(max_length=64, null=True, help_text="of the one locked before it")
    sequence = models.PositiveIntegerField(null=True, help_text="in which order they were locked, from 1")
    supersedes = models.ForeignKey(
        "self", models.PROTECT, null=True, db_index=False, db_constraint=False, related_name="+"
    )
    prepared_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    approved_by = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")
    single_reviewer = models.BooleanField(default=False, help_text="declared before it was submitted")
    checklist = models.JSONField(default=list, help_text="what was found when it was submitted")
    accepted = models.JSONField(default=list, help_text="open items that it is closed with: item, reason, who")
    decisions = models.JSONField(default=list, help_text="submitted, rejected, approved: who, when, note")
    closed_at = models.DateTimeField(db_default=Now(), help_text="when the figures were read")
    submitted_at = models.DateTimeField(null=True)
    approved_at = models.DateTimeField(null=True)
    published_at = models.DateTimeField(null=True)
    superseded_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "inventories"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="inventory_of_organization"),
            models.UniqueConstraint(fields=["organization", "sequence"], name="inventory_chain_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=[each for each in PeriodState if each != PeriodState.OPEN]),
                name="inventory_state",
            ),
            models.CheckConstraint(condition=models.Q(kind__in=["month", "quarter", "year"]), name="inventory_kind"),
            models.CheckConstraint(condition=models.Q(to_day__gte=models.F("from_day")), name="inventory_days"),
            models.CheckConstraint(
                condition=~models.Q(state__in=LOCKED)
                | models.Q(approved_by__isnull=False, approved_at__isnull=False, sequence__isnull=False),
                name="inventory_approved_by",
            ),
            models.CheckConstraint(
                condition=models.Q(approved_by__isnull=True)
                | ~models.Q(approved_by=models.F("prepared_by"))
                | models.Q(single_reviewer=True),
                name="inventory_four_eyes",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.period} {self.id}"

    @property
    def is_locked(self) -> bool:
        """Tell whether it can no longer change."""
        return self.state in LOCKED
