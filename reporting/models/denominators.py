"""What emissions are divided by."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from core.organizations.models import Organization


class DenominatorFigure(models.Model):
    """
    How many of something an organization had in a day, month or quarter: what emissions are divided by.

    Append-only: a later figure for the same series and period names the one it replaces, and both stay. One without a value
    withdraws. A figure is about the whole organization, or about one team, project or application.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    series = models.TextField(help_text="accepted_tasks, active_users, headcount, revenue or a name of their own")
    unit_text = models.TextField(help_text="what one of it is")
    currency = models.TextField(blank=True, help_text="ISO 4217, of revenue")
    team = models.TextField(blank=True)
    project = models.TextField(blank=True)
    application = models.TextField(blank=True)
    from_day = models.DateField(help_text="first day, UTC")
    to_day = models.DateField(help_text="last day, inclusive, UTC")
    value_in_units = models.DecimalField(
        max_digits=30, decimal_places=9, null=True, help_text="in what unit_text says; null: withdrawn"
    )
    source = models.TextField(blank=True, help_text="where the figure comes from")
    replaces = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, db_constraint=False, db_index=False, related_name="replaced_by"
    )
    recorded_at = models.DateTimeField(db_default=Now())
    recorded_by = models.TextField(blank=True, help_text="name of the person or token")

    class Meta:
        db_table = "reporting_denominator_figure"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="denominator_of_organization"),
            models.UniqueConstraint(fields=["organization", "replaces"], name="denominator_replaced_once"),
            models.UniqueConstraint(
                fields=[
                    "organization",
                    "series",
                    "currency",
                    "team",
                    "project",
                    "application",
                    "from_day",
                    "to_day",
                ],
                condition=models.Q(replaces__isnull=True),
                name="denominator_first_once",
            ),
            models.CheckConstraint(
                condition=models.Q(value_in_units__isnull=True) | models.Q(value_in_units__gte=0),
                name="denominator_not_negative",
            ),
            models.CheckConstraint(condition=models.Q(to_day__gte=models.F("from_day")), name="denominator_period"),
            models.CheckConstraint(
                condition=models.Q(team="", project="")
                | models.Q(team="", application="")
                | models.Q(project="", application=""),
                name="denominator_narrowed_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.series} {self.from_day} to {self.to_day}"
