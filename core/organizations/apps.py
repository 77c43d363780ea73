from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class OrganizationsConfig(AppConfig):
    name = "core.organizations"
    label = "organizations"

    def ready(self) -> None:
        from core.organizations import preferences

        connection_created.connect(refuse_bypass_once, dispatch_uid="refuse_bypass")
        preferences.connect()


def refuse_bypass_once(sender: Any, connection: Any, **kwargs: Any) -> None:
    """Look at the application's role on the first connection of a process: one that bypasses tenancy must not serve."""
    from core.organizations.tenancy import refuse_bypass

    if connection.alias == "default":
        with connection.cursor() as cursor:
            refuse_bypass(cursor)
        connection_created.disconnect(dispatch_uid="refuse_bypass")
