"""What: an organization's own names for things, its sites and its register. The public catalog is in factor sets."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.catalog.entries import KINDS, NUMBERS, WITHDRAWAL
from core.organizations.models import Organization


class AliasKind(models.TextChoices):
    """The dimensions whose reported names can be resolved to a known one."""

    MODEL = "model", _("Model")
    HARDWARE = "hardware", _("Hardware")
    INSTANCE_TYPE = "instance_type", _("Instance type")
    REGION = "region", _("Region")
    ZONE = "zone", _("Grid zone")
    PROVIDER = "provider", _("Provider")


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


class SiteKind(models.TextChoices):
    """How a site is run, in the words of an inventory (inventory.schema.json)."""

    OWNED = "owned", _("Owned")
    COLOCATION = "colocation", _("Colocation")
    LEASED = "leased", _("Leased whole")


class Site(models.Model):
    """An own or colocated data hall: what records call ``site``, where it is, and who controls what runs there."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    slug = models.SlugField(max_length=64, help_text="as records say it in `site`")
    name = models.CharField(max_length=200)
    country = models.CharField(max_length=2, help_text="ISO 3166-1 alpha-2")
    zone = models.CharField(max_length=64, help_text="grid zone, such as DE or EGRID:ERCT")
    kind = models.CharField(max_length=16, choices=SiteKind.choices, default=SiteKind.OWNED)
    operational_control = models.BooleanField(default=True, help_text="who can set operating policy of the IT")
    financial_control = models.BooleanField(default=True, help_text="who takes the economic benefit of the IT")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "slug"], name="site_slug"),
            models.UniqueConstraint(fields=["organization", "id"], name="site_of_organization"),
            models.CheckConstraint(condition=models.Q(kind__in=SiteKind.values), name="site_kind"),
            models.CheckConstraint(condition=models.Q(country__regex="^[A-Z]{2}$"), name="site_country"),
        ]

    def __str__(self) -> str:
        return self.name


def _amount() -> models.DecimalField[Decimal | None, Decimal | None]:
    return models.DecimalField(max_digits=20, decimal_places=6, null=True)


class RegisterEntry(models.Model):
    """
    A dated, sourced fact about a site or asset that is no use of it. Append-only: the database refuses anything else.

    A correction is a new entry that names the one it replaces; a withdrawal replaces one by nothing. Which columns a kind
    fills says `core.catalog.entries.KINDS`.
    """

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    site = models.ForeignKey(Site, models.PROTECT, db_constraint=False, db_index=False)
    kind = models.CharField(max_length=32, choices=[(kind, kind) for kind in (*KINDS, WITHDRAWAL)])
    day = models.DateField(help_text="of the event; of a month's reading its first day")
    facility_kwh = _amount()
    it_kwh = _amount()
    water_l = _amount()
    generated_used_kwh = _amount()
    generated_exported_kwh = _amount()
    heat_reused_kwh = _amount()
    fuel = models.TextField(null=True)
    fuel_l = _amount()
    fuel_m3 = _amount()
    fuel_kg = _amount()
    fuel_kwh = _amount()
    gas = models.TextField(null=True)
    gas_kg = _amount()
    hardware = models.TextField(null=True)
    count = models.IntegerField(null=True)
    mass_kg = _amount()
    treatment = models.TextField(null=True)
    source = models.TextField(help_text="where the figure comes from: an invoice, a meter, a delivery note")
    replaces = models.ForeignKey("self", models.PROTECT, null=True, db_constraint=False, db_index=False)
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "register entries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="registerentry_of_organization"),
            models.UniqueConstraint(
                fields=["organization", "replaces"],
                name="registerentry_replaced_once",
                condition=models.Q(replaces__isnull=False),
            ),
            models.CheckConstraint(condition=models.Q(kind__in=(*KINDS, WITHDRAWAL)), name="registerentry_kind"),
            models.CheckConstraint(
                condition=~models.Q(kind=WITHDRAWAL) | models.Q(replaces__isnull=False), name="registerentry_withdraws"
            ),
            models.CheckConstraint(condition=~models.Q(source=""), name="registerentry_source"),
            models.CheckConstraint(
                condition=models.Q(it_kwh__isnull=True)
                | models.Q(facility_kwh__isnull=True)
                | models.Q(facility_kwh__gte=models.F("it_kwh")),
                name="registerentry_pue",
            ),
            *(
                models.CheckConstraint(condition=models.Q(**{f"{name}__gte": 0}), name=f"registerentry_{name}")
                for name in NUMBERS
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["organization", "site", "day"], name="registerentry_day")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.day}"
