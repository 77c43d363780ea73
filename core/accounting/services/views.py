"""
Views come and go: the first is made when it is needed, a new one is built beside the current one and then switched to.

Readers never see half a view: they read the current one until the switch, and the new one, whole, after it. Whoever builds one
holds a lock of the session on it, so one whose builder was killed is told from one that is being built.
"""

from __future__ import annotations

from datetime import UTC, datetime

import structlog
from django.db import connection

from core.accounting.models import View, ViewState
from core.accounting.selectors import current_view, live_views
from core.factors.models import FactorSet
from core.factors.selectors import factor_set_of, shipped_factor_set
from core.locks import BUILD_LOCK, VIEW_LOCK
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from core.quantification.methods import LATEST, methodology_of

log = structlog.get_logger()


class ViewError(Exception):
    """A view that cannot be built or switched to; the message says why."""


def ensure_current_view(organization_id: int) -> View:
    """Return the current view; the first time, make one with the newest factor set and methodology. It is derived into."""
    with organization_scope(organization_id):
        view = current_view(organization_id)
        if view is not None:
            return view
        _lock(organization_id)
        view = current_view(organization_id)
        if view is not None:
            return view
        now = datetime.now(UTC)
        return _create(
            organization_id, shipped_factor_set(), LATEST, state=ViewState.CURRENT, built_at=now, current_since=now
        )


def begin_view(*, organization_id: int, factor_set: str | None = None, methodology: str | None = None) -> View:
    """
    Begin a view beside the current one; from now on derive keeps its days up to date too. `build_view` fills it.

    It belongs to this session, until `release_view` or the session's end; from then on it is abandoned and will be discarded.

    Args:
        factor_set: name or hash; default: the current view's.
        methodology: version; default: the current view's.

    Raises:
        NoFactorSet, UnknownMethodology: there is none of that name.
    """
    current = ensure_current_view(organization_id)
    chosen = factor_set_of(factor_set) if factor_set else current.factor_set
    version = methodology_of(methodology or current.methodology).version
    with organization_scope(organization_id):
        _lock(organization_id)
        view = _create(
            organization_id, chosen, version, state=ViewState.BUILDING, rules_revision=current.rules_revision
        )
        with connection.cursor() as cursor:  # before anybody else sees the view
            cursor.execute("select pg_advisory_lock(%s, %s)", [BUILD_LOCK, view.id])
        record_event(
            organization_id=organization_id,
            action="begin_view",
            object_type="view",
            object_id=view.id,
            after={"factor_set": chosen.content_hash, "methodology": version},
        )
    return view


def switch_view(*, organization_id: int, view_id: int, reason: str = "") -> View:
    """
    Make a built view the current one, at once for every reader.

    Raises:
        ViewError: it is not a view being built, or not built to its end.
    """
    with organization_scope(organization_id):
        _lock(organization_id)
        view = View.objects.filter(organization_id=organization_id, id=view_id, state=ViewState.BUILDING).first()
        if view is None:
            raise ViewError(f"There is no view {view_id} being built.")
        if view.built_at is None:
            raise ViewError(f"View {view_id} is not built to its end: run `build_view` until it is.")
        before = current_view(organization_id)
        if before is not None:
            View.objects.filter(organization_id=organization_id, id=before.id).update(state=ViewState.RETIRED)
        View.objects.filter(organization_id=organization_id, id=view_id).update(
            state=ViewState.CURRENT, current_since=datetime.now(UTC)
        )
        record_event(
            organization_id=organization_id,
            action="switch_view",
            object_type="view",
            object_id=view_id,
            before=None if before is None else _described(before),
            after=_described(view),
            reason=reason,
        )
        view.refresh_from_db()
    return view


def discard_view(*, organization_id: int, view_id: int) -> None:
    """Give up a view that is being built, such as a rehearsal, and drop its rows. Raises ViewError for any other."""
    with organization_scope(organization_id):
        _lock(organization_id)
        building = View.objects.filter(organization_id=organization_id, id=view_id, state=ViewState.BUILDING)
        if not building.update(state=ViewState.RETIRED, built_at=None, built_until=None):
            raise ViewError(f"There is no view {view_id} being built.")
        with connection.cursor() as cursor:
            cursor.execute("select wattledger_drop_partition('accounting_daily', %s)", [partition_of(view_id)])
            for table in ("accounting_monthly", "accounting_marketrate"):
                cursor.execute(
                    f"delete from {table} where organization_id = %s and view_id = %s", [organization_id, view_id]
                )
        record_event(organization_id=organization_id, action="discard_view", object_type="view", object_id=view_id)


def release_view(view_id: int) -> None:
    """Let go of a view that this session began. A connection that is gone has let go by itself."""
    if connection.is_usable():
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock(%s, %s)", [BUILD_LOCK, view_id])


def discard_abandoned_views(organization_id: int) -> list[int]:
    """Discard views that are being built by nobody, since their builder was killed; returns their ids."""
    with organization_scope(organization_id):
        building = [view.id for view in live_views(organization_id) if view.state == ViewState.BUILDING]
    return [view_id for view_id in building if _discard_abandoned(organization_id, view_id)]


def _discard_abandoned(organization_id: int, view_id: int) -> bool:
    with organization_scope(organization_id):
        with connection.cursor() as cursor:
            cursor.execute("select pg_try_advisory_xact_lock(%s, %s)", [BUILD_LOCK, view_id])
            (abandoned,) = cursor.fetchone()
        if not abandoned:
            return False
        try:
            discard_view(organization_id=organization_id, view_id=view_id)
        except ViewError:  # its builder, or another sweep, has just ended it
            return False
    log.warning("abandoned view discarded", organization=organization_id, view=view_id)
    return True


def partition_of(view_id: int) -> str:
    """Name the partition that holds a view's daily rows."""
    return f"accounting_daily_{int(view_id)}"


def _create(organization_id: int, factor_set: FactorSet, methodology: str, **fields: object) -> View:
    view: View = View.objects.create(
        organization_id=organization_id, factor_set=factor_set, methodology=methodology, **fields
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "select wattledger_ensure_partition('accounting_daily', %s, %s)",
            [partition_of(view.id), f"for values in ({view.id})"],
        )
    return view


def building_view(organization_id: int, view_id: int) -> View:
    """Return a view that is being built. Raises ViewError when there is no such view."""
    with organization_scope(organization_id):
        view = (
            View.objects.select_related("factor_set")
            .filter(organization_id=organization_id, id=view_id, state=ViewState.BUILDING)
            .first()
        )
    if view is None:
        raise ViewError(f"There is no view {view_id} being built.")
    return view


def _described(view: View) -> dict[str, object]:
    return {
        "view": view.id,
        "factor_set": view.factor_set.content_hash,
        "methodology": view.methodology,
        "rules_revision": view.rules_revision,
    }


def _lock(organization_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [VIEW_LOCK, organization_id])
