"""What: an organization's own names for things. The public catalog (models, hardware, regions) is in factor sets."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from core.organizations.models import Organization


class AliasKind(models.TextChoices):
    """The dimensions whose reported names can be resolved to a known one."""

    MODEL = "model", "Model"
    HARDWARE = "hardware", "Hardware"
    INSTANCE_TYPE = "instance_type", "Instance type"
    REGION = "region", "Region"
    PROVIDER = "provider", "Provider"


class Alias(models.Model):
    """A reported name and what it stands for, while it does. Own aliases go before those of the catalog."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    kind = models.CharField(max_length=16, choices=AliasKind.choices)
    reported = models.TextField(help_text="as the records say it")
    resolves_to = models.TextField(help_text="as the catalog says it")
    valid_from = models.DateField(null=True, blank=True, help_text="first day, UTC; empty: always")
    valid_to = models.DateField(null=True, blank=True, help_text="first day no longer; empty: until further notice")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "aliases"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "kind", "reported", "valid_from"], name="alias_once", nulls_distinct=False
            ),
            models.UniqueConstraint(fields=["organization", "id"], name="alias_of_organization"),
            models.CheckConstraint(condition=models.Q(kind__in=AliasKind.values), name="alias_kind"),
            models.CheckConstraint(
                condition=models.Q(valid_to__isnull=True)
                | models.Q(valid_from__isnull=True)
                | models.Q(valid_to__gt=models.F("valid_from")),
                name="alias_period",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reported} = {self.resolves_to}"
