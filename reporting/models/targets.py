"""What an organization aims at: targets, their versions, and what changed in their base years."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.organizations.models import Organization, Person


class Target(models.Model):
    """Something to be reached, under a name; what exactly is said by its version in force."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    name = models.CharField(max_length=200)
    note = models.TextField(blank=True, help_text="what it is about")
    owner = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    created_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    retired_at = models.DateTimeField(null=True, blank=True)
    retired_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    retired_because = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="target_of_organization"),
            models.UniqueConstraint(
                fields=["organization", "name"],
                condition=models.Q(retired_at__isnull=True),
                name="target_name_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class VersionState(models.TextChoices):
    """Where a version of a target stands."""

    PROPOSED = "proposed", _("proposed")
    APPROVED = "approved", _("approved")
    REJECTED = "rejected", _("rejected")
    SUPERSEDED = "superseded", _("superseded")


class VersionKind(models.TextChoices):
    """What made a version."""

    NEW = "new", _("new")
    CHANGED = "changed", _("changed")
    REBASED = "rebased", _("base year recalculated")


class TargetVersion(models.Model):
    """What a target asks for, and who agreed: never changed but for the decision, which is another person's."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    target = models.ForeignKey(Target, models.PROTECT, db_index=False, db_constraint=False, related_name="versions")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=VersionKind.choices, default=VersionKind.NEW)
    state = models.CharField(max_length=16, choices=VersionState.choices, default=VersionState.PROPOSED)
    definition = models.JSONField(help_text="as reporting.targets.definition.as_plain writes it")
    base = models.JSONField(null=True, help_text="as reporting.targets.paths.Base writes it; null: a ceiling")
    reason = models.TextField(blank=True, help_text="why it is another one")
    created_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    decided_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_note = models.TextField(blank=True)
    single_reviewer = models.BooleanField(default=False, help_text="decided in an organization of one reviewer")

    class Meta:
        db_table = "reporting_target_version"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="target_version_of_organization"),
            models.UniqueConstraint(fields=["organization", "target", "number"], name="target_version_number"),
            models.UniqueConstraint(
                fields=["organization", "target", "state"],
                condition=models.Q(state__in=["proposed", "approved"]),
                name="target_version_in_force_once",
            ),
            models.CheckConstraint(
                condition=models.Q(decided_by__isnull=True)
                | models.Q(created_by__isnull=True)
                | ~models.Q(decided_by=models.F("created_by"))
                | models.Q(single_reviewer=True),
                name="target_version_four_eyes",
            ),
            models.CheckConstraint(
                condition=models.Q(state="proposed", decided_by__isnull=True, decided_at__isnull=True)
                | models.Q(~models.Q(state="proposed"), decided_by__isnull=False, decided_at__isnull=False),
                name="target_version_decided_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.target_id} version {self.number}"


class BaseYearEvent(models.Model):
    """What changed of the base year of a target; small ones wait until their sum is significant."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    target = models.ForeignKey(Target, models.PROTECT, db_index=False, db_constraint=False, related_name="events")
    kind = models.CharField(max_length=16, help_text="of reporting.targets.base_year.KINDS")
    existed_in_base_year = models.BooleanField(default=True)
    base_year_kg = models.FloatField(help_text="kg CO2e of the base year that it is about")
    note = models.TextField(help_text="what happened")
    version = models.ForeignKey(
        TargetVersion, models.PROTECT, null=True, blank=True, db_index=False, db_constraint=False, related_name="events"
    )
    recorded_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "reporting_base_year_event"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="base_year_event_of_organization"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.base_year_kg:g} kg CO2e"
