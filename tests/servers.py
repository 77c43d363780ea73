"""
Real servers for the tests: an embedded PostgreSQL and Valkey of their own, or TEST_DATABASE_URL and TEST_REDIS_URL.

Loaded as a plugin before Django's settings, so that these never find the servers of ``make run``. Nothing is started until a
test asks for the database.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg

from core.local.postgres import ADMIN, DATABASE, NOT_DURABLE, EmbeddedPostgres
from core.local.valkey import EmbeddedValkey

UNSET = "postgresql://unset@127.0.0.1:1/unset"
os.environ.update(
    {
        "DATABASE_URL": UNSET,
        "MIGRATE_DATABASE_URL": UNSET,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "SECRET_KEY": "only-for-tests",
        "VAR_DIR": tempfile.mkdtemp(prefix="wattledger-test-"),
        "DEBUG": "1",
        "LOG_LEVEL": "WARNING",
    }
)
Path(os.environ["VAR_DIR"]).chmod(0o711)  # PostgreSQL runs as another user when the tests run as root
Path(os.environ["VAR_DIR"], "static").mkdir()  # WhiteNoise warns when nothing was collected, and warnings are errors
atexit.register(shutil.rmtree, os.environ["VAR_DIR"], ignore_errors=True)


@dataclass
class Servers:
    """Addresses of one database for its three roles, of Valkey, and the way to stop what was started here."""

    admin_url: str
    app_url: str
    owner_url: str
    redis_url: str
    started: list[Any] = field(default_factory=list)

    def stop(self) -> None:
        for server in reversed(self.started):
            server.stop()


def start() -> Servers:
    """Start what the environment does not name: PostgreSQL with an empty database, and Valkey."""
    started: list[Any] = []
    folder = Path(os.environ["VAR_DIR"])
    given = os.environ.get("TEST_DATABASE_URL", "")
    if given:
        admin_url, owner_url, app_url = make_database(given)
    else:
        postgres = EmbeddedPostgres(folder / "postgres", settings=NOT_DURABLE)
        postgres.start()
        started.append(postgres)
        admin_url, owner_url, app_url = postgres.url(ADMIN, DATABASE), postgres.owner_url, postgres.app_url
    redis_url = os.environ.get("TEST_REDIS_URL", "")
    if redis_url:
        redis_url = own_numbered(redis_url)
    else:
        valkey = EmbeddedValkey(folder / "valkey")
        valkey.start()
        started.append(valkey)
        redis_url = valkey.url
    return Servers(admin_url, app_url, owner_url, redis_url, started)


def make_database(admin_url: str) -> tuple[str, str, str]:
    """Create a database of a random name with an owner's and an application's role; return the three addresses."""
    tag = secrets.token_hex(4)
    database, owner, app = (f"wattledger_test_{name}_{tag}" for name in ("db", "owner", "app"))
    password = secrets.token_hex(16)
    with psycopg.connect(admin_url, autocommit=True) as connection:
        for role in (owner, app):
            connection.execute(f"create role {role} login password '{password}'")
        connection.execute(f"create database {database} owner {owner} template template0 encoding 'UTF8'")
    return (
        urlsplit(admin_url)._replace(path=f"/{database}").geturl(),
        with_role(admin_url, owner, password, database),
        with_role(admin_url, app, password, database),
    )


def own_numbered(redis_url: str) -> str:
    """Give each of the processes that share out the tests a database of its own on a given Redis (`gw0`, `gw1`, ...)."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    return f"{redis_url.rstrip('/').removesuffix('/0')}/{worker.removeprefix('gw')}" if worker else redis_url


def with_role(url: str, role: str, password: str, database: str) -> str:
    """Point an address at another role and database of the same server."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role)}:{password}@{place}", path=f"/{database}"))
