"""The yearly limit that the overview holds emissions against."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from core.organizations.models import Organization, Person


class YearlyLimit(models.Model):
    """An absolute limit: so many kg CO2e a year, spread evenly over its days, from a day on."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    name = models.CharField(max_length=200)
    limit_kg_co2e_per_year = models.FloatField(
        help_text="kg CO2e a year, location-based, upstream and embodied included"
    )
    starts_on = models.DateField(help_text="first day, UTC")
    ends_on = models.DateField(null=True, blank=True, help_text="last day, UTC; empty: until replaced")
    created_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "reporting_yearly_limit"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="yearly_limit_of_organization"),
            models.UniqueConstraint(fields=["organization", "starts_on"], name="yearly_limit_starts_once"),
            models.CheckConstraint(condition=models.Q(limit_kg_co2e_per_year__gt=0), name="yearly_limit_is_positive"),
            models.CheckConstraint(
                condition=models.Q(ends_on__isnull=True) | models.Q(ends_on__gte=models.F("starts_on")),
                name="yearly_limit_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return self.name
