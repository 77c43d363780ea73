"""Views of pages that somebody keeps or passes on."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from core.accounting.models import View
from core.organizations.models import Organization, Person


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
