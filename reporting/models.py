"""What an organization aims at, what it divides by, what it tries out, and the files that somebody asked for."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.accounting.models import View
from core.organizations.models import Organization, Person


class Target(models.Model):
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
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="target_of_organization"),
            models.UniqueConstraint(fields=["organization", "starts_on"], name="target_starts_once"),
            models.CheckConstraint(condition=models.Q(limit_kg_co2e_per_year__gt=0), name="target_limit_is_positive"),
            models.CheckConstraint(
                condition=models.Q(ends_on__isnull=True) | models.Q(ends_on__gte=models.F("starts_on")),
                name="target_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return self.name


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


class SavedFilter(models.Model):
    """A page's query string under a name: one person's own, or, without a person, the organization's."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    person = models.ForeignKey(
        Person, models.PROTECT, null=True, blank=True, related_name="+", help_text="whose it is; empty: everybody's"
    )
    name = models.CharField(max_length=100)
    path = models.TextField(help_text="address of the page, without its query")
    query = models.TextField(blank=True, help_text="the query string, without its question mark")
    created_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "reporting_saved_filter"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="saved_filter_of_organization"),
            models.UniqueConstraint(
                fields=["organization", "person", "name"], name="saved_filter_name_once", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ShortLink(models.Model):
    """
    A page and its query behind a short address; "as of" keeps the view that was read then, up to when, and what it said.

    The stored figures tell whether records that came later have changed what the link shows.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    key = models.CharField(max_length=32)
    path = models.TextField(help_text="address of the page, without its query")
    query = models.TextField(blank=True, help_text="the query string, without its question mark")
    view = models.ForeignKey(
        View, models.PROTECT, null=True, db_constraint=False, db_index=False, help_text="null: always the current one"
    )
    watermark_at = models.DateTimeField(null=True, help_text="records written before were in the figures")
    records = models.BigIntegerField(null=True)
    total_kg_co2e = models.FloatField(null=True)
    created_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "reporting_short_link"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="short_link_of_organization"),
            models.UniqueConstraint(fields=["organization", "key"], name="short_link_key"),
        ]

    def __str__(self) -> str:
        return self.key


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
