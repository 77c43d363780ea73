"""Who: organizations, people and their roles, teams, projects, tokens, and what each of them did."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from core.quantification.activity import STAGES


class Organization(models.Model):
    """The reporting entity. The registry itself is no tenant table: every other table hangs below a row of it."""

    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    country = models.CharField(max_length=2, blank=True, help_text="ISO 3166-1 alpha-2")
    fiscal_year_start_month = models.PositiveSmallIntegerField(default=1)
    minimum_group_size = models.PositiveSmallIntegerField(default=5)
    single_reviewer = models.BooleanField(default=False)
    demo = models.BooleanField(default=False)
    settings = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(fiscal_year_start_month__range=(1, 12)), name="organization_fiscal_month"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PersonManager(BaseUserManager["Person"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> Person:
        """Make a person who signs in by e-mail; without a password they cannot sign in until they set one."""
        person = self.model(email=self.normalize_email(email).lower(), **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person


class Person(AbstractBaseUser):
    """Somebody who signs in. May belong to several organizations; rights come from memberships alone."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    preferences = models.JSONField(
        default=dict,
        blank=True,
        db_default=models.Value({}, models.JSONField()),
        help_text="language, theme, density",
    )

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = PersonManager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(Lower("email"), name="person_email_lower")]

    def __str__(self) -> str:
        return self.name or self.email


class Role(models.TextChoices):
    """The roles of interface.md section 2; what each may do is in policy.py."""

    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Admin")
    SUSTAINABILITY_LEAD = "sustainability_lead", _("Sustainability lead")
    TEAM_LEAD = "team_lead", _("Team lead")
    PROCUREMENT = "procurement", _("Procurement")
    MEMBER = "member", _("Member")
    AUDITOR = "auditor", _("Auditor")


class Team(models.Model):
    organization = models.ForeignKey(Organization, models.PROTECT)
    name = models.CharField(max_length=200)
    head_count = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "name"], name="team_name"),
            models.UniqueConstraint(fields=["organization", "id"], name="team_of_organization"),
        ]

    def __str__(self) -> str:
        return self.name


class Project(models.Model):
    organization = models.ForeignKey(Organization, models.PROTECT)
    name = models.CharField(max_length=200)
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, db_constraint=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "name"], name="project_name"),
            models.UniqueConstraint(fields=["organization", "id"], name="project_of_organization"),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    organization = models.ForeignKey(Organization, models.PROTECT)
    person = models.ForeignKey(Person, models.PROTECT)
    role = models.CharField(max_length=32, choices=Role.choices)
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, db_constraint=False)
    ends_on = models.DateField(null=True, blank=True, help_text="last day of access, UTC")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "person"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} as {self.role}"


class Scope(models.TextChoices):
    """What a token may do (contracts.md section 4)."""

    INGEST = "ingest", _("Write through doors")
    READ = "read", _("Read figures")
    ADMIN = "admin", _("What an admin may do by API")


class ApiToken(models.Model):
    """A bearer secret of an organization: stored as a hash, shown once, narrowed by scope, team, project and source."""

    organization = models.ForeignKey(Organization, models.PROTECT)
    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=24, help_text="the first characters, to recognize it by")
    secret_hash = models.BinaryField(max_length=32)
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope.choices))
    team = models.CharField(max_length=200, blank=True)
    team_only = models.BooleanField(
        default=False, db_default=False, help_text="it sends for its team alone: a record that names another is refused"
    )
    project = models.CharField(max_length=200, blank=True)
    stage = models.CharField(max_length=32, blank=True, choices=[(stage, stage) for stage in STAGES])
    source = models.CharField(max_length=200, blank=True, help_text="name of the source connection it writes as")
    source_id = models.IntegerField(
        null=True, blank=True, help_text="the one source connection that it writes as; no other takes it"
    )
    created_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "secret_hash"], name="token_hash"),
            models.UniqueConstraint(fields=["organization", "id"], name="token_of_organization"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class AuditEvent(models.Model):
    """One write by a person, a token or the system. Append-only in the database; each row carries the hash of the last."""

    organization = models.ForeignKey(Organization, models.PROTECT)
    sequence = models.BigIntegerField()
    occurred_at = models.DateTimeField()
    actor_kind = models.CharField(max_length=16)  # person, token, system
    actor_id = models.CharField(max_length=64, blank=True)
    actor_name = models.CharField(max_length=200)
    action = models.CharField(max_length=64)  # verb of a service: issue_token, accept_payload, ...
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=200, blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=64, blank=True)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "sequence"], name="audit_sequence"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} {self.action} {self.object_type} {self.object_id}"


class UserCounting(models.Model):
    """An organization's decision to count distinct users of a team and month: asked for by one, approved by another."""

    organization = models.ForeignKey(Organization, models.PROTECT)
    purpose = models.TextField()
    requested_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    approved_by = models.ForeignKey(Person, models.PROTECT, related_name="+", null=True)
    approved_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    secret = models.BinaryField(
        max_length=32, null=True, help_text="key of the hashes, new every month; none once ended"
    )

    class Meta:
        db_table = "organizations_user_counting"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization"], condition=models.Q(ended_at__isnull=True), name="user_counting_once"
            ),
            models.CheckConstraint(
                condition=models.Q(approved_by__isnull=True) | ~models.Q(approved_by=models.F("requested_by")),
                name="user_counting_four_eyes",
            ),
            models.CheckConstraint(
                condition=models.Q(approved_by__isnull=True, secret__isnull=True)
                | models.Q(approved_by__isnull=False, approved_at__isnull=False),
                name="user_counting_approved",
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True) | models.Q(secret__isnull=True),
                name="user_counting_forgotten",
            ),
        ]

    def __str__(self) -> str:
        return f"user counts for {self.purpose}"


class UserSeen(models.Model):
    """That somebody unnamed was among a team's users in the present month; gone when the month is counted."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    month = models.DateField()
    team = models.CharField(max_length=200, blank=True)
    hash = models.BinaryField(max_length=16)

    class Meta:
        db_table = "organizations_user_seen"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "month", "team", "hash"], name="user_seen_once"),
        ]

    def __str__(self) -> str:
        return f"a user of {self.team or 'no team'} in {self.month:%Y-%m}"


class UserCount(models.Model):
    """How many distinct users a team had in a month that is over."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    month = models.DateField()
    team = models.CharField(max_length=200, blank=True)
    users = models.PositiveIntegerField()

    class Meta:
        db_table = "organizations_user_count"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "month", "team"], name="user_count_once"),
        ]

    def __str__(self) -> str:
        return f"{self.users} users of {self.team or 'no team'} in {self.month:%Y-%m}"
