"""A stage for benchmarks: durable servers of their own, the product's web server and worker, one organization."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.local.servers import Servers


@dataclass(frozen=True)
class Stage:
    """Where things are."""

    folder: Path
    organization_id: int
    token: str
    app_url: str


@contextmanager
def stage() -> Iterator[Stage]:
    """Start servers that keep what they commit, migrate, and make an organization with a token."""
    with tempfile.TemporaryDirectory(prefix="wl-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        (folder / "log").mkdir()
        (folder / "static").mkdir()
        with Servers(folder) as servers:
            os.environ.update(
                DATABASE_URL=servers.postgres.app_url,
                MIGRATE_DATABASE_URL=servers.postgres.owner_url,
                REDIS_URL=servers.valkey.url,
                VAR_DIR=str(folder),
                SECRET_KEY="only-for-benchmarks",
                DJANGO_SETTINGS_MODULE="core.settings",
                LOG_LEVEL="WARNING",
            )
            yield _prepared(folder, servers.postgres.app_url)
            from django.db import connections

            connections.close_all()


def _prepared(folder: Path, app_url: str) -> Stage:
    import django
    from django.core.management import call_command

    django.setup()
    from core.organizations import services

    call_command("migrate", database="owner", verbosity=0)
    organization = services.create_organization(slug="bench", name="Bench")
    _, token = services.issue_token(organization_id=organization.id, name="bench", scopes=["ingest", "admin"])
    return Stage(folder, organization.id, token, app_url)
