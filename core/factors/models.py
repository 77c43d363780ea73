"""
How much: published factor tables, stored once by content, and the immutable sets that are made of them.

Factor sets belong to nobody: every organization's views name one, and its content hash proves which.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now


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
