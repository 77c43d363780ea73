"""Where messages go, what was said, and every attempt to deliver it."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.organizations.models import Organization, Person


class Channel(models.TextChoices):
    """How a message travels."""

    EMAIL = "email", _("E-mail")
    WEBHOOK = "webhook", _("Signed webhook")
    SLACK = "slack", _("Slack-compatible webhook")


class Destination(models.Model):
    """An address that an organization has its messages sent to. Removed ones stay, since the log names them."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    name = models.CharField(max_length=100)
    channel = models.CharField(max_length=16, choices=Channel.choices)
    address = models.TextField(help_text="e-mail address, or URL that is posted to")
    kinds = ArrayField(models.CharField(max_length=64), default=list, blank=True, help_text="empty: every kind")
    team = models.CharField(max_length=200, blank=True, help_text="only what is about this team; empty: everything")
    language = models.CharField(max_length=8, default="en")
    secret = models.BinaryField(max_length=32, null=True, help_text="key of a webhook's signatures")
    former_secret = models.BinaryField(max_length=32, null=True, help_text="signs beside the new one for a while")
    former_until = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True, help_text="nothing is sent while it is set")
    removed_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="destination_of_organization"),
            models.UniqueConstraint(
                fields=["organization", "name"],
                condition=models.Q(removed_at__isnull=True),
                name="destination_name_once",
            ),
            models.CheckConstraint(condition=models.Q(channel__in=Channel.values), name="destination_channel"),
            models.CheckConstraint(
                condition=models.Q(channel=Channel.WEBHOOK, secret__isnull=False)
                | ~models.Q(channel=Channel.WEBHOOK) & models.Q(secret__isnull=True),
                name="destination_secret",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Message(models.Model):
    """Something that happened, said once: a second message of the same key is none."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    uid = models.UUIDField(help_text="its name outside: webhook-id and Message-ID")
    kind = models.CharField(max_length=64)
    key = models.CharField(max_length=200, help_text="what it is about; one message each")
    team = models.CharField(max_length=200, blank=True)
    data = models.JSONField(help_text="what its words are made of, and what a webhook carries")
    occurred_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="message_of_organization"),
            models.UniqueConstraint(fields=["organization", "key"], name="message_said_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class DeliveryState(models.TextChoices):
    """What became of a message at one destination."""

    WAITING = "waiting", _("Waiting")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Given up")


class Delivery(models.Model):
    """A message on its way to one destination."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    message = models.ForeignKey(Message, models.PROTECT, db_constraint=False, db_index=False, related_name="deliveries")
    destination = models.ForeignKey(Destination, models.PROTECT, db_constraint=False, db_index=False)
    state = models.CharField(max_length=16, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    tries = models.PositiveSmallIntegerField(default=0, help_text="attempts that were begun")
    next_at = models.DateTimeField(help_text="when it is tried, or is taken from a worker that was lost")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="delivery_of_organization"),
            models.UniqueConstraint(fields=["organization", "message", "destination"], name="delivery_once"),
            models.CheckConstraint(condition=models.Q(state__in=DeliveryState.values), name="delivery_state"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["organization", "next_at"], condition=models.Q(state="waiting"), name="delivery_due_index"
            ),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk} ({self.state})"


class Attempt(models.Model):
    """One try: what the other side answered, and how long it took."""

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False)
    delivery = models.ForeignKey(Delivery, models.PROTECT, db_constraint=False, db_index=False, related_name="attempts")
    number = models.PositiveSmallIntegerField(help_text="from 1")
    began_at = models.DateTimeField()
    took_s = models.FloatField()
    succeeded = models.BooleanField()
    http_status = models.PositiveSmallIntegerField(null=True, help_text="of a webhook that answered")
    detail = models.TextField(blank=True, help_text="why it failed, for people")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "delivery", "number"], name="attempt_once"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of delivery {self.delivery_id}"
