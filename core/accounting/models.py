"""
What can be argued about, and the figures that follow from it.

``accounting_daily`` and ``accounting_monthly`` have composite keys and are written by COPY: their columns stand in
migration 0002_rows and in `core.accounting.columns`.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.factors.models import FactorSet
from core.ledger.models import Series, Source
from core.organizations.models import Organization


class ViewState(models.TextChoices):
    """A view is built beside the current one, becomes current by one switch, and is kept when it is followed."""

    BUILDING = "building", _("Building")
    CURRENT = "current", _("Current")
    RETIRED = "retired", _("Retired")


class View(models.Model):
    """What figures follow from: factor set, methodology and rules. One view is current and is read."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    factor_set = models.ForeignKey(FactorSet, models.PROTECT)
    methodology = models.TextField()
    rules_revision = models.IntegerField(default=1, help_text="raised by every change of units, links and aliases")
    state = models.TextField(choices=ViewState.choices, default=ViewState.BUILDING)
    built_until = models.DateField(null=True, help_text="first month that the build has not reached")
    built_at = models.DateTimeField(null=True, help_text="every day is there; it may become current")
    current_since = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="view_of_organization"),
            models.UniqueConstraint(
                fields=["organization"], condition=models.Q(state="current"), name="view_current_once"
            ),
            models.CheckConstraint(condition=models.Q(state__in=ViewState.values), name="view_state"),
            models.CheckConstraint(
                condition=~models.Q(state="current") | models.Q(built_at__isnull=False), name="view_current_is_built"
            ),
        ]

    def __str__(self) -> str:
        return f"view {self.pk} ({self.state})"


class CoverageUnit(models.Model):
    """
    The thing that several sources may describe: a billing account, a cluster, a gateway, an API organization.

    Better evidence displaces worse there for the part that it covers; or one source alone counts.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    name = models.TextField()
    counting_source = models.ForeignKey(
        Source,
        models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        help_text="alone counts here; null: evidence decides",
    )
    precedence = ArrayField(
        models.TextField(),
        default=list,
        help_text="levels of evidence and sources (source:12), best first; empty: usual",
    )
    reason = models.TextField(blank=True, help_text="why the unit has an order of its own")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "name"], name="coverage_unit_name"),
            models.UniqueConstraint(fields=["organization", "id"], name="coverage_unit_of_organization"),
        ]

    def __str__(self) -> str:
        return self.name


class SourceLink(models.Model):
    """A source, or one account of it, tied to a coverage unit; without a unit: declared independent of all others."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    source = models.ForeignKey(Source, models.PROTECT, db_constraint=False, db_index=False)
    account = models.TextField(null=True, blank=True, help_text="empty: every account that the source reports")
    unit = models.ForeignKey(
        CoverageUnit, models.PROTECT, null=True, blank=True, db_constraint=False, db_index=False, related_name="links"
    )
    part = models.BooleanField(
        null=True, help_text="describes a part of its own, so that it adds up with others; null: as its evidence says"
    )
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "source", "account"], name="source_link_once", nulls_distinct=False
            ),
            models.UniqueConstraint(fields=["organization", "id"], name="source_link_of_organization"),
        ]

    def __str__(self) -> str:
        return f"{self.source_id} {self.account or ''}"


class ExpectedKind(models.TextChoices):
    """What is expected to report."""

    ACCOUNT = "account", _("Account")
    API_KEY = "api_key", _("API key")
    CLUSTER = "cluster", _("Cluster")
    AGENT = "agent", _("Agent")


class Expected(models.Model):
    """Something that should report every day: a source, or one account of it. What is missing is a stated gap."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    kind = models.TextField(choices=ExpectedKind.choices)
    source = models.ForeignKey(Source, models.PROTECT, db_constraint=False, db_index=False)
    account = models.TextField(null=True, blank=True, help_text="null: whatever the source reports on")
    since = models.DateField(help_text="first day that should be there, UTC")
    until = models.DateField(null=True, help_text="last day that should be there; null: still expected")
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "expected"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "source", "account"], name="expected_once", nulls_distinct=False
            ),
            models.UniqueConstraint(fields=["organization", "id"], name="expected_of_organization"),
            models.CheckConstraint(condition=models.Q(kind__in=ExpectedKind.values), name="expected_kind"),
            models.CheckConstraint(
                condition=models.Q(until__isnull=True) | models.Q(until__gte=models.F("since")), name="expected_days"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source_id} {self.account or ''}"


class AttributionRule(models.Model):
    """Whose the uses are that meet every condition: one of an ordered list, see `core.quantification.attribution_rules`."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    position = models.IntegerField(help_text="in the list, from 1")
    name = models.TextField(blank=True)
    conditions = models.JSONField(help_text="objects of field, operator and values; every one must be met")
    sets = models.JSONField(help_text="dimension to name")
    overwrite = models.BooleanField(default=False, help_text="also where another name was reported")
    valid_from = models.DateField(null=True, blank=True, help_text="first day, UTC; empty: always")
    valid_to = models.DateField(null=True, blank=True, help_text="first day no longer; empty: until further notice")
    reason = models.TextField(blank=True)
    effect = models.JSONField(null=True, help_text="what moved when it was last changed")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="attribution_rule_of_organization"),
            models.UniqueConstraint(
                fields=["organization", "position"],
                name="attribution_rule_position",
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.CheckConstraint(
                condition=models.Q(valid_to__isnull=True)
                | models.Q(valid_from__isnull=True)
                | models.Q(valid_to__gt=models.F("valid_from")),
                name="attribution_rule_period",
            ),
        ]

    def __str__(self) -> str:
        return self.name or f"attribution rule {self.pk}"


class Plan(models.Model):
    """How impacts follow from measures: method, factors, formulas. Shared by all series that calculate alike."""

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    key = models.UUIDField(help_text="hash of everything below but created_at, and of the coefficients")
    methodology = models.TextField()
    use = models.JSONField(help_text="what the plan is for: dimensions, year, measures that are there")
    method = models.TextField(null=True, help_text="null: nothing could be calculated")
    data_quality = models.SmallIntegerField(null=True, help_text="1 best to 5 worst")
    scope = models.TextField(null=True, help_text="of the electricity: 2, 3.1, ...")
    scope_upstream = models.TextField(null=True)
    scope_embodied = models.TextField(null=True)
    factors = models.JSONField(default=list, help_text="as `quantify` prints them")
    notes = ArrayField(models.TextField(), default=list)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "key"], name="plan_key"),
            models.UniqueConstraint(fields=["organization", "id"], name="plan_of_organization"),
        ]

    def __str__(self) -> str:
        return f"plan {self.pk}"


class SharedError(models.Model):
    """
    Rows whose errors go together (methodology 9.4): one method and family in one zone, with the zone's shared widths.

    Also the market whose rate they take, so that figures can be read without looking at plans.
    """

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    key = models.UUIDField(help_text="hash of everything below")
    group = models.TextField(help_text="method and model or hardware family")
    zone_group = models.TextField(help_text="zone of the grid factor; `world` for all that fell back to it")
    market = models.TextField(null=True, help_text="null: no market figure follows from the energy")
    pool = models.TextField(default="", help_text="unused: pools are found when rates are joined")
    widths = models.JSONField(help_text="impact: ln half-widths [grid below, grid above, pue below, pue above]")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "key"], name="shared_error_key"),
            models.UniqueConstraint(fields=["organization", "id"], name="shared_error_of_organization"),
        ]

    def __str__(self) -> str:
        return f"{self.group} in {self.zone_group}"


class ResolvedSeries(models.Model):
    """A series as derive understood it: resolved, attributed, counted or not, with its plan. Rows are about these."""

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    key = models.UUIDField(help_text="hash of everything below but created_at")
    series = models.ForeignKey(Series, models.PROTECT, db_constraint=False, db_index=False)
    source = models.ForeignKey(Source, models.PROTECT, db_constraint=False, db_index=False)
    plan = models.ForeignKey(Plan, models.PROTECT, db_constraint=False, db_index=False)
    shared_error = models.ForeignKey(SharedError, models.PROTECT, db_constraint=False, db_index=False)
    role = models.TextField(choices=[("counted", "counted"), ("cross_check", "cross-check")])
    account = models.TextField(null=True)
    team = models.TextField(null=True)
    project = models.TextField(null=True)
    application = models.TextField(null=True)
    task = models.TextField(null=True)
    environment = models.TextField(null=True)
    site = models.TextField(null=True)
    stage = models.TextField(null=True)
    hosting = models.TextField(null=True)
    provider = models.TextField(null=True)
    region = models.TextField(null=True)
    zone = models.TextField(null=True)
    model = models.TextField(null=True)
    hardware = models.TextField(null=True)
    instance_type = models.TextField(null=True)
    tier = models.TextField(null=True)
    evidence = models.TextField(null=True)
    currency = models.TextField(null=True)
    techniques = ArrayField(models.TextField(), default=list)
    method = models.TextField(null=True)
    scope = models.TextField(null=True)
    scope_upstream = models.TextField(null=True)
    scope_embodied = models.TextField(null=True)
    data_quality = models.SmallIntegerField(null=True)
    notes = ArrayField(models.TextField(), default=list, help_text="of resolving and attributing; the plan has its own")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "accounting_resolved_series"
        verbose_name_plural = "resolved series"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "key"], name="resolved_series_key"),
            models.UniqueConstraint(fields=["organization", "id"], name="resolved_series_of_organization"),
        ]
        indexes: ClassVar = [models.Index(fields=["organization", "series"], name="resolved_of_series")]

    def __str__(self) -> str:
        return f"resolved series {self.pk}"


class MarketRate(models.Model):
    """
    What a kWh at the facility weighs in a market and period, market-based. Joined on read, never stored per row.

    A rate belongs to all consumption of its market and pool, so late data would else rewrite rows that it is not about. The
    empty pool is the rate without instruments; the others are made of it by `core.quantification.market_coverage`.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    view = models.ForeignKey(View, models.CASCADE, db_constraint=False, db_index=False)
    market = models.TextField()
    pool = models.TextField(default="")
    period_start = models.DateField(help_text="UTC")
    period_end = models.DateField(help_text="first day no longer, UTC")
    g_per_kwh = models.FloatField(null=True, help_text="g CO2e per facility kWh; null: not known")
    g_per_kwh_low = models.FloatField(null=True)
    g_per_kwh_high = models.FloatField(null=True)
    factor = models.JSONField(
        default=dict, help_text="the factor it is, as `quantify` prints it; with pool also the shares of instruments"
    )
    electricity_market = models.TextField(null=True, help_text="that instruments are bought in; null: without pool")
    covered_kwh = models.FloatField(null=True, help_text="of this market and pool; null: without pool")
    uncovered_kwh = models.FloatField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "view", "market", "pool", "period_start"], name="market_rate_once"
            ),
            models.CheckConstraint(
                condition=models.Q(period_end__gt=models.F("period_start")), name="market_rate_period"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.market} {self.period_start}"


class JobState(models.TextChoices):
    """Where a restatement that was asked for is."""

    WAITING = "waiting", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class RestatementJob(models.Model):
    """A rehearsal or restatement that somebody asked for, done by a worker; its bridge is kept."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    factor_set = models.ForeignKey(FactorSet, models.PROTECT)
    methodology = models.TextField()
    from_day = models.DateField(help_text="of the period that is compared, UTC")
    to_day = models.DateField(help_text="its last day")
    apply = models.BooleanField(default=False, help_text="build every day and switch to it; else a rehearsal")
    reason = models.TextField(blank=True)
    state = models.TextField(choices=JobState.choices, default=JobState.WAITING)
    months_done = models.IntegerField(default=0)
    months = models.IntegerField(null=True, help_text="that there are to derive; null: not known yet")
    view_id_building = models.IntegerField(null=True, help_text="unused: who builds a view holds a lock on it")
    error = models.TextField(blank=True, help_text="why it failed, for people")
    result = models.JSONField(null=True, help_text="totals before and after, and the bridge between them")
    asked_by = models.TextField(help_text="who asked, as the audit log names them")
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="restatement_job_of_organization"),
            models.UniqueConstraint(
                fields=["organization"],
                condition=models.Q(state__in=(JobState.WAITING, JobState.RUNNING)),
                name="restatement_job_one_at_a_time",
            ),
            models.CheckConstraint(condition=models.Q(state__in=JobState.values), name="restatement_job_state"),
        ]

    def __str__(self) -> str:
        return f"restatement {self.pk} ({self.state})"


class MarketMark(models.Model):
    """A year whose rates are to be made again because the instruments changed; deleted by whoever has done it."""

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    year = models.SmallIntegerField()
    marked_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes: ClassVar = [models.Index(fields=["organization"], name="market_mark_of_organization")]

    def __str__(self) -> str:
        return str(self.year)
