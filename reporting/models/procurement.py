"""What an organization knows of providers, and how it compares their offers."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.organizations.models import Organization, Person


class EvidenceState(models.TextChoices):
    """Whether a piece of evidence is part of the dossier."""

    PROPOSED = "proposed", _("To be reviewed")
    ACCEPTED = "accepted", _("In the dossier")
    REJECTED = "rejected", _("Not accepted")


class ProviderEvidence(models.Model):
    """One claim of a provider with the document that bears it out; published ones are rows of the factor set."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    provider = models.TextField(help_text="slug")
    metric = models.TextField(help_text="of reporting.procurement.metrics.METRICS")
    value = models.FloatField(null=True, help_text="null for statements")
    unit = models.TextField(blank=True, help_text="of the value: that of the metric")
    text = models.TextField(blank=True, help_text="the statement, where it is no number")
    boundary = models.TextField(blank=True, help_text="what it is about: fleet, region, site, one model")
    document = models.TextField(blank=True, help_text="title of the document; empty: none was given")
    url = models.TextField(blank=True)
    document_date = models.DateField(null=True)
    expires_on = models.DateField(null=True, help_text="last day on which it holds")
    grade = models.TextField(help_text="of reporting.procurement.metrics.GRADES")
    note = models.TextField(blank=True)
    state = models.TextField(choices=EvidenceState.choices, default=EvidenceState.ACCEPTED)
    origin = models.TextField(default="typed", help_text="typed or questionnaire")
    created_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="evidence_of_organization"),
            models.CheckConstraint(condition=models.Q(state__in=EvidenceState.values), name="evidence_state"),
        ]
        indexes: ClassVar = [models.Index(fields=["organization", "provider"], name="evidence_of_provider")]

    def __str__(self) -> str:
        return f"{self.metric} of {self.provider}"


class Evaluation(models.Model):
    """Offers compared on one workload; its figures are derived whenever they are asked for, until it is frozen."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    name = models.CharField(max_length=100)
    note = models.TextField(blank=True)
    workload = models.JSONField(help_text="as reporting.procurement.workloads.as_plain writes it")
    criteria = models.JSONField(help_text="as reporting.procurement.criteria.as_plain writes them")
    created_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="evaluation_of_organization"),
            models.UniqueConstraint(fields=["organization", "name"], name="evaluation_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class EvaluationOffer(models.Model):
    """One offer of an evaluation."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    evaluation = models.ForeignKey(
        Evaluation, models.CASCADE, db_constraint=False, db_index=False, related_name="offers"
    )
    name = models.CharField(max_length=100)
    terms = models.JSONField(help_text="as reporting.procurement.offers.as_plain writes them")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="offer_of_organization"),
            models.UniqueConstraint(fields=["organization", "evaluation", "name"], name="offer_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class FrozenEvaluation(models.Model):
    """An evaluation as it was on a day, for the tender file: never changed, and kept when the evaluation is removed."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    of_evaluation = models.IntegerField(help_text="id of the evaluation")
    name = models.CharField(max_length=100)
    content = models.TextField(help_text="canonical JSON of everything that was shown")
    sha256 = models.CharField(max_length=64, help_text="of the content's UTF-8 bytes")
    view = models.IntegerField(null=True, help_text="id of the view that its figures were derived in")
    factor_set = models.TextField(help_text="content hash")
    methodology = models.TextField(help_text="version")
    frozen_by = models.TextField(blank=True, help_text="who froze it, as the audit log names them")
    frozen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="frozen_evaluation_of_organization"),
        ]
        indexes: ClassVar = [models.Index(fields=["organization", "of_evaluation"], name="frozen_of_evaluation")]

    def __str__(self) -> str:
        return f"{self.name} as of {self.frozen_at}"
