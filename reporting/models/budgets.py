"""What teams may emit, and what a tonne costs inside the organization."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from core.organizations.models import Organization, Person


class Budget(models.Model):
    """
    What a team may emit in a quarter. Append-only: the highest version of a team and quarter stands.

    A version without a limit withdraws.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    team = models.CharField(max_length=200)
    period = models.CharField(max_length=16, help_text="name of the quarter: 2026-Q4 or FY2027-Q1")
    from_day = models.DateField(help_text="first day, UTC")
    to_day = models.DateField(help_text="last day, inclusive, UTC")
    version = models.PositiveIntegerField(help_text="from 1")
    limit_kg_co2e = models.FloatField(
        null=True, help_text="kg CO2e, location-based, upstream and embodied included; null: withdrawn"
    )
    entered_in_units = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    entered_unit = models.CharField(max_length=3, blank=True, help_text="kg, t, or the currency of the carbon price")
    price_per_t = models.DecimalField(
        max_digits=14, decimal_places=4, null=True, help_text="that money was turned into kg by"
    )
    thresholds_percent = ArrayField(models.PositiveSmallIntegerField(), default=list)
    note = models.TextField(blank=True)
    created_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="budget_of_organization"),
            models.UniqueConstraint(fields=["organization", "team", "from_day", "version"], name="budget_version"),
            models.CheckConstraint(
                condition=models.Q(limit_kg_co2e__isnull=True) | models.Q(limit_kg_co2e__gt=0),
                name="budget_limit_is_positive",
            ),
            models.CheckConstraint(condition=models.Q(to_day__gt=models.F("from_day")), name="budget_period"),
        ]

    def __str__(self) -> str:
        return f"{self.team} {self.period} v{self.version}"


class CarbonPrice(models.Model):
    """What a tonne costs inside the organization from a day on. Append-only: the latest row of a day stands."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    valid_from = models.DateField(help_text="first day, UTC")
    price_per_t = models.DecimalField(max_digits=14, decimal_places=4, help_text="per tonne CO2e")
    currency = models.CharField(max_length=3, help_text="ISO 4217")
    basis = models.TextField(help_text="what it stands for and where it comes from")
    created_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "reporting_carbon_price"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="carbon_price_of_organization"),
            models.CheckConstraint(condition=models.Q(price_per_t__gt=0), name="carbon_price_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.price_per_t} {self.currency}/t from {self.valid_from}"
