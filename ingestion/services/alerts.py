"""Alerts about sources: raised when one goes late, silent or failing, closed when its data is back."""

from __future__ import annotations

from datetime import UTC, datetime

from core.delivery.services import announce
from core.organizations.models import Organization
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from ingestion import selectors
from ingestion.announcements import SOURCE_BACK, SOURCE_TROUBLE
from ingestion.arrivals import ALARMING, SourceState
from ingestion.models import SourceAlert


def watch_sources(now: datetime | None = None) -> dict[str, int]:
    """Look at every source of every organization; give how many alerts were raised, changed and closed."""
    done = {"raised": 0, "changed": 0, "closed": 0}
    for organization_id in Organization.objects.order_by("id").values_list("id", flat=True):
        with organization_scope(organization_id):
            open_alerts = {
                alert.source_id: alert
                for alert in SourceAlert.objects.select_for_update().filter(
                    organization_id=organization_id, closed_at=None
                )
            }
            moment = now or datetime.now(UTC)
            for source in selectors.source_states(organization_id, moment):
                what = _settle(organization_id, source, open_alerts.get(source.id), moment)
                if what:
                    done[what] += 1
    return done


def _settle(organization_id: int, source: SourceState, alert: SourceAlert | None, now: datetime) -> str:
    if source.state in ALARMING and source.latest_arrival is not None:
        if alert is None:
            return _raise(organization_id, source, source.latest_arrival, now)
        if alert.state != source.state:
            before, alert.state = alert.state, source.state
            alert.save(update_fields=["state"])
            _record("change_source_alert", alert, source, before={"state": before}, after={"state": source.state})
            _announce(alert, source, now)
            return "changed"
    elif alert is not None:
        alert.closed_at = now
        alert.save(update_fields=["closed_at"])
        _record("close_source_alert", alert, source, before={"state": alert.state}, after={"state": source.state})
        _announce(alert, source, now)
        return "closed"
    return ""


def _raise(organization_id: int, source: SourceState, latest_arrival: datetime, now: datetime) -> str:
    """Raise an alert, unless another process has done so since the open ones were read."""
    alert, created = SourceAlert.objects.get_or_create(
        organization_id=organization_id,
        source_id=source.id,
        closed_at=None,
        defaults={"state": source.state, "latest_arrival": latest_arrival, "opened_at": now},
    )
    if not created:
        return ""
    after = {"state": source.state, "latest_arrival": latest_arrival.isoformat(), "expected_every_h": source.expected_h}
    _record("raise_source_alert", alert, source, after=after)
    _announce(alert, source, now)
    return "raised"


def _announce(alert: SourceAlert, source: SourceState, now: datetime) -> None:
    """Tell who wants to know, once for each state of an alert."""
    state = "back" if alert.closed_at is not None else alert.state
    announce(
        organization_id=alert.organization_id,
        kind=SOURCE_BACK if alert.closed_at is not None else SOURCE_TROUBLE,
        key=f"source-alert-{alert.id}-{state}",
        data={
            "source_id": source.id,
            "source": source.name,
            "state": state,
            "latest_arrival": alert.latest_arrival.isoformat(),
        },
        occurred_at=now,
    )


def _record(
    action: str,
    alert: SourceAlert,
    source: SourceState,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    record_event(
        organization_id=alert.organization_id,
        action=action,
        object_type="source",
        object_id=source.id,
        before=before,
        after={"name": source.name, **(after or {})},
    )
