"""The decision to count distinct users, their hashes of the present month, and the counts of past ones."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from core.organizations.tenancy import protect


class Migration(migrations.Migration):
    dependencies = [
        ("organizations", "0003_partition_privileges"),
    ]

    operations = [
        migrations.CreateModel(
            name="UserCount",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField()),
                ("team", models.CharField(blank=True, max_length=200)),
                ("users", models.PositiveIntegerField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="organizations.organization"
                    ),
                ),
            ],
            options={
                "db_table": "organizations_user_count",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "month", "team"), name="user_count_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="UserCounting",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("purpose", models.TextField()),
                ("requested_at", models.DateTimeField()),
                ("approved_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "secret",
                    models.BinaryField(
                        help_text="key of the hashes, new every month; none once ended", max_length=32, null=True
                    ),
                ),
                (
                    "approved_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="organizations.organization"),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "db_table": "organizations_user_counting",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("organization",),
                        name="user_counting_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("approved_by__isnull", True),
                            models.Q(("approved_by", models.F("requested_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="user_counting_four_eyes",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("approved_by__isnull", True), ("secret__isnull", True)),
                            models.Q(("approved_at__isnull", False), ("approved_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="user_counting_approved",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ended_at__isnull", True), ("secret__isnull", True), _connector="OR"),
                        name="user_counting_forgotten",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UserSeen",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField()),
                ("team", models.CharField(blank=True, max_length=200)),
                ("hash", models.BinaryField(max_length=16)),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="organizations.organization"
                    ),
                ),
            ],
            options={
                "db_table": "organizations_user_seen",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "month", "team", "hash"), name="user_seen_once")
                ],
            },
        ),
        protect("organizations_user_counting"),
        protect("organizations_user_seen"),
        protect("organizations_user_count"),
    ]
