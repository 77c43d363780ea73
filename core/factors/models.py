"""
How much: published factor tables, stored once by content, the immutable sets that are made of them, and own factors.

Factor sets belong to nobody: every organization's views name one, and its content hash proves which. Own factors belong to
one organization and go before those of the set.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from core.organizations.models import Organization


class FactorTable(models.Model):
    """One published edition of one table: canonical CSV bytes, gzipped, addressed by the hash of what they hold."""

    content_hash = models.TextField(primary_key=True, help_text="sha256:<hex> of the canonical bytes")
    rows = models.IntegerField(help_text="data rows, without the header")
    content = models.BinaryField(help_text="gzip of the canonical CSV bytes")

    def __str__(self) -> str:
        return self.content_hash


class FactorSet(models.Model):
    """A named collection of tables under one content hash. Never changed: the database refuses."""

    name = models.TextField(unique=True)
    content_hash = models.TextField(unique=True, help_text="sha256:<hex> over the names and bytes of its tables")
    published_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name


class FactorSetTable(models.Model):
    """The name that a set gives to a table, such as ``grid_intensity_annual--eea``."""

    factor_set = models.ForeignKey(FactorSet, models.PROTECT)
    name = models.TextField()
    table = models.ForeignKey(FactorTable, models.PROTECT)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["factor_set", "name"], name="factor_set_table_name")]

    def __str__(self) -> str:
        return self.name


class OwnFactor(models.Model):
    """A number that an organization knows better than the published tables: dated, sourced, for what it is about."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    name = models.TextField(help_text="an override of `core.quantification.overrides.UNITS`, such as ``pue``")
    unit = models.TextField(help_text="of value, low and high, such as g CO2e/kWh")
    value = models.FloatField()
    low = models.FloatField(help_text="95 % interval; equal to the value where none is known")
    high = models.FloatField()
    where = models.JSONField(default=dict, help_text="dimension to name; every one must fit; empty: everything")
    source = models.TextField(help_text="where the number comes from")
    valid_from = models.DateField(null=True, blank=True, help_text="first day, UTC; empty: always")
    valid_to = models.DateField(null=True, blank=True, help_text="first day no longer; empty: until further notice")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="own_factor_of_organization"),
            models.CheckConstraint(
                condition=models.Q(low__lte=models.F("value"), high__gte=models.F("value")), name="own_factor_interval"
            ),
            models.CheckConstraint(
                condition=models.Q(valid_to__isnull=True)
                | models.Q(valid_from__isnull=True)
                | models.Q(valid_to__gt=models.F("valid_from")),
                name="own_factor_period",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.value:g}"
