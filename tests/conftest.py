"""Fixtures for all tests. The database is real, and tests run in it as the application's role."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.cache import caches
from django.core.management import call_command
from django.db import connections
from hypothesis import settings as hypothesis_settings

from core.organizations import services
from core.organizations.models import Organization, Person
from core.settings.databases import connection as connection_settings  # noqa: TID251
from tests import servers as server_set

hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")  # a loaded machine is no fault of the code


@pytest.fixture(scope="session")
def servers() -> Iterator[server_set.Servers]:
    """Running servers, named in Django's settings and in the environment for processes that a test starts."""
    running = server_set.start()
    for alias, name, url in (
        ("default", "DATABASE_URL", running.app_url),
        ("owner", "MIGRATE_DATABASE_URL", running.owner_url),
    ):
        os.environ[name] = url
        connections[alias].close()
        settings.DATABASES[alias].update(connection_settings(name, url))
        connections[alias].settings_dict.update(connection_settings(name, url))
    os.environ["REDIS_URL"] = settings.REDIS_URL = running.redis_url
    settings.CELERY_BROKER_URL = running.redis_url.replace("unix://", "redis+socket://", 1)
    settings.CACHES["default"]["LOCATION"] = running.redis_url
    caches["default"] = caches.create_connection("default")  # one may have been made of the address before
    from core.celery import app

    app.conf.broker_url = settings.CELERY_BROKER_URL
    yield running
    for connection in connections.all(initialized_only=True):
        connection.close()
    running.stop()


@pytest.fixture(scope="session")
def django_db_setup(servers: server_set.Servers, django_db_blocker: Any) -> None:
    """Migrate an empty database with the owner's role."""
    with django_db_blocker.unblock():
        call_command("migrate", database="owner", verbosity=0)
        connections["owner"].close()


@pytest.fixture
def committed_db(django_db_setup: None, servers: server_set.Servers, django_db_blocker: Any) -> Iterator[None]:
    """The database with real commits, seen by other processes; every organization's rows are gone afterwards."""
    with django_db_blocker.unblock():
        yield
        for connection in connections.all(initialized_only=True):
            connection.close()
    empty_tenant_tables(servers)


def empty_tenant_tables(servers: server_set.Servers) -> None:
    """Truncate people, organizations and all that hangs below them, the audit log included."""
    with psycopg.connect(servers.admin_url, autocommit=True) as connection:
        tables = connection.execute(
            "select c.oid::regclass::text from pg_class c join pg_attribute a on a.attrelid = c.oid"
            " where a.attname = 'organization_id' and c.relkind in ('r', 'p') and not c.relispartition"
            " and c.relnamespace = 'public'::regnamespace"
        ).fetchall()
        names = [name for (name,) in tables] + [
            "organizations_organization",
            "organizations_person",
            "django_session",
            "factors_certificateclaim",
        ]
        connection.execute("set session_replication_role = replica")
        connection.execute("alter table organizations_auditevent disable trigger user")
        connection.execute(f"truncate {', '.join(names)} cascade")
        connection.execute("alter table organizations_auditevent enable trigger user")


@pytest.fixture
def organization(request: pytest.FixtureRequest) -> Organization:
    """An organization; committed when the test asked for ``committed_db``, else rolled back."""
    needs_database(request)
    return services.create_organization(slug="northwind", name="Northwind AI", country="DE")


@pytest.fixture
def other_organization(request: pytest.FixtureRequest) -> Organization:
    """A second organization, of which the first must never see anything."""
    needs_database(request)
    return services.create_organization(slug="contoso", name="Contoso Models", country="FR")


@pytest.fixture
def person(request: pytest.FixtureRequest) -> Person:
    """Somebody who can sign in with the password ``correct horse battery``."""
    needs_database(request)
    return Person.objects.create_user("ada@example.org", "correct horse battery", name="Ada Example")


def needs_database(request: pytest.FixtureRequest) -> None:
    """Ask for a rolled-back database unless the test has asked for a committed one."""
    if "committed_db" in request.fixturenames:
        request.getfixturevalue("committed_db")
    else:
        request.getfixturevalue("db")
