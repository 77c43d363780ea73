"""
How much: published factor tables, stored once by content, the immutable sets that are made of them, own factors, and the
contractual instruments for electricity.

Factor sets belong to nobody: every organization's views name one, and its content hash proves which. Own factors belong to
one organization and go before those of the set, and so do its own series of grid factors. Instruments are its facts: entered
once, never changed; what happens to them afterwards is an event beside them.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

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


class InstrumentType(models.TextChoices):
    """In the order in which they are used (Scope 2 Guidance)."""

    CERTIFICATE = "certificate", _("Certificate")
    CONTRACT = "contract", _("Contract")
    SUPPLIER_RATE = "supplier_rate", _("Supplier rate")


class ContractualInstrument(models.Model):
    """A volume of electricity with the intensity that was bought with it. Never changed: the database refuses."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    type = models.CharField(max_length=16, choices=InstrumentType.choices)
    kind = models.TextField(help_text="as the trade calls it: GO, REC, I-REC, PPA, green tariff")
    energy_kwh = models.DecimalField(max_digits=18, decimal_places=3)
    intensity_g_per_kwh = models.FloatField(help_text="g CO2e per kWh")
    market = models.TextField(help_text="name of a market, or a country or zone in it")
    vintage_start = models.DateField(help_text="first day of generation, UTC")
    vintage_end = models.DateField(help_text="first day no longer, UTC")
    carbon_free = models.BooleanField(default=False)
    technology = models.TextField(blank=True)
    pool = models.TextField(blank=True, help_text="what it is assigned to, such as site:fra-1; empty: the whole market")
    reference = models.TextField(blank=True, help_text="of the contract or delivery that it is a part of")
    bought_kwh = models.DecimalField(
        max_digits=18, decimal_places=3, null=True, help_text="of that contract and year; its parts may not exceed it"
    )
    document = models.TextField(blank=True, help_text="where the evidence lies")
    corrects = models.ForeignKey("self", models.PROTECT, null=True, db_constraint=False, db_index=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="instrument_of_organization"),
            models.CheckConstraint(condition=models.Q(type__in=InstrumentType.values), name="instrument_type"),
            models.CheckConstraint(condition=models.Q(energy_kwh__gt=0), name="instrument_energy_is_positive"),
            models.CheckConstraint(condition=models.Q(intensity_g_per_kwh__gte=0), name="instrument_intensity"),
            models.CheckConstraint(
                condition=models.Q(vintage_end__gt=models.F("vintage_start")), name="instrument_vintage"
            ),
            models.CheckConstraint(
                condition=models.Q(bought_kwh__isnull=True) | models.Q(bought_kwh__gte=models.F("energy_kwh")),
                name="instrument_within_what_was_bought",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.vintage_start.year} ({self.pk})"


class InstrumentEventKind(models.TextChoices):
    """What can happen to an instrument."""

    RETIRED = "retired", _("Retired")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class InstrumentEvent(models.Model):
    """What happened to an instrument after it was entered: certificates retired, or the whole withdrawn. Never changed."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    instrument = models.ForeignKey(
        ContractualInstrument, models.PROTECT, db_constraint=False, db_index=False, related_name="events"
    )
    kind = models.CharField(max_length=16, choices=InstrumentEventKind.choices)
    retired_on = models.DateField(null=True, help_text="UTC")
    registry = models.TextField(blank=True)
    serial_first = models.TextField(blank=True, help_text="first serial number, as entered")
    serial_last = models.TextField(blank=True)
    claim = models.UUIDField(null=True, help_text="of the serial numbers, see CertificateClaim")
    reason = models.TextField(blank=True, help_text="why it was withdrawn")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "instrument", "kind"], name="instrument_event_once"),
            models.CheckConstraint(
                condition=models.Q(kind__in=InstrumentEventKind.values), name="instrument_event_kind"
            ),
            models.CheckConstraint(
                condition=~models.Q(kind="retired")
                | models.Q(retired_on__isnull=False, claim__isnull=False) & ~models.Q(registry="", serial_first=""),
                name="instrument_retired_with_serials",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.kind}"


class InstrumentHours(models.Model):
    """When an instrument's electricity was generated, by UTC hour. Never changed."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    instrument = models.ForeignKey(ContractualInstrument, models.PROTECT, db_constraint=False, db_index=False)
    starts_at = models.DateTimeField(help_text="first hour")
    energy_kwh = ArrayField(models.FloatField(null=True), help_text="one an hour; null: not known, so unmatched")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "instrument hours"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "instrument"], name="instrument_hours_once"),
        ]

    def __str__(self) -> str:
        return f"hours of {self.instrument_id}"


class CertificateClaim(models.Model):
    """
    Hashes of retired serial numbers, of all organizations: a certificate is claimed once, and nobody sees by whom.

    See `core.quantification.serials`; freed when the instrument is withdrawn.
    """

    id = models.BigAutoField(primary_key=True)
    claim = models.UUIDField(db_index=True)
    key = models.BinaryField(max_length=16)
    whole = models.BooleanField(help_text="the block is claimed; else a part of it")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["key"], name="certificate_claim_key")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key"], condition=models.Q(whole=True), name="certificate_claimed_once")
        ]

    def __str__(self) -> str:
        return str(self.claim)


class GridSeries(models.Model):
    """
    One import of an organization's own grid factors of a zone. Never changed: a newer import goes before it, value by value.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    zone = models.TextField(help_text="as the catalog names zones, such as DE or EGRID:CAMX")
    resolution = models.TextField(choices=[("hourly", "hourly"), ("monthly", "monthly")])
    boundary = models.TextField(choices=[("direct", "direct"), ("lifecycle", "lifecycle")])
    basis = models.TextField(choices=[("consumption", "consumption"), ("production", "production")])
    gas_basis = models.TextField(choices=[("CO2e", "CO2e"), ("CO2", "CO2")])
    source = models.TextField(help_text="where the numbers come from")
    licence = models.TextField(blank=True)
    values_count = models.IntegerField(help_text="hours, or months")
    imported_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="grid_series_of_organization"),
        ]

    def __str__(self) -> str:
        return f"grid series {self.pk} of {self.zone}"


class GridSeriesMonth(models.Model):
    """The values of a month: one for each of its hours (UTC), null where missing; of a monthly series one for all."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    series = models.ForeignKey(GridSeries, models.PROTECT, db_constraint=False, db_index=False, related_name="months")
    month = models.DateField(help_text="its first day")
    g_per_kwh = ArrayField(models.FloatField(null=True), help_text="g CO2e/kWh, or g CO2/kWh")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "series", "month"], name="grid_series_month_once"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} of series {self.series_id}"


class GridSeriesRemoval(models.Model):
    """An import that was wrong, and why: its values hold no longer, and stay to be read."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    series = models.ForeignKey(GridSeries, models.PROTECT, db_constraint=False, db_index=False, related_name="removals")
    reason = models.TextField()
    removed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "series"], name="grid_series_removed_once"),
        ]

    def __str__(self) -> str:
        return f"removal of series {self.series_id}"


class GridChoice(models.Model):
    """Which granularity an organization wants for a zone, from a quarter on. The newest that holds for a quarter counts."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    zone = models.TextField()
    granularity = models.TextField(choices=[("hourly", "hourly"), ("monthly", "monthly"), ("yearly", "yearly")])
    first_quarter = models.DateField(null=True, help_text="its first day, UTC; empty: every quarter")
    chosen_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes: ClassVar = [models.Index(fields=["organization", "zone"], name="grid_choice_of_zone")]

    def __str__(self) -> str:
        return f"{self.zone} {self.granularity}"
