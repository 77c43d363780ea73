"""What an organization tries out."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from core.organizations.models import Organization, Person


class Scenario(models.Model):
    """Rules by which cells are rewritten, under a name; its figures are derived whenever they are asked for, never stored."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    name = models.CharField(max_length=100)
    note = models.TextField(blank=True, help_text="what it is about")
    rules = models.JSONField(help_text="as core.quantification.scenario.as_plain writes them")
    created_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="scenario_of_organization"),
            models.UniqueConstraint(fields=["organization", "name"], name="scenario_name_once"),
        ]

    def __str__(self) -> str:
        return self.name
