"""Tokens of spans and of metrics, as figures have them: which services send what, and where the two do not agree."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
from django.db import connection

from core.accounting.figures import Filter
from core.accounting.selectors.views import current_view
from core.ledger.models import Source
from core.organizations.tenancy import organization_scope
from core.quantification.signal_tokens import SignalDifference, differences_of_services
from core.quantification.signals import (
    COUNTERS,
    METRIC,
    METRICS,
    SAMPLED_SPANS,
    SCOPE,
    SERVICE,
    SIGNAL,
    SPANS,
    TOKEN_HISTOGRAM,
)

COLUMNS: Final = (
    *("source_id", "account", "service", SIGNAL, "both", "provider", "model", "hardware", "instance_type"),
    *("input_tokens", "output_tokens"),
)

# A histogram whose scope sends the newer counters too says the same again, as `signals.repeated_by_signal` has it.
_TOKENS: Final = """
with sent as (
    select source_id, service, day, bool_or(signal = any(%(spans)s)) and bool_or(signal = %(metrics)s) as together
    from ledger_signal where organization_id = %(organization)s and day between %(from)s and %(to)s group by 1, 2, 3
), said as (
    select d.day, d.resolved_id, s.source_id, coalesce(s.labels ->> %(service)s, '') as service,
           s.labels ->> %(signal)s as signal, s.labels ->> %(metric)s as metric,
           %(counters)s || coalesce(s.labels ->> %(scope)s, '') as counters, r.account, r.provider, r.model, r.hardware,
           r.instance_type, d.input_tokens, d.output_tokens
    from accounting_daily d
    join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id
    join ledger_series s on s.organization_id = d.organization_id and s.id = r.series_id
    where d.organization_id = %(organization)s and d.view_id = %(view)s and d.day between %(from)s and %(to)s
      and s.labels ->> %(signal)s = any(%(compared)s)
)
select source_id, account, service, signal, coalesce(together, false), provider, model, hardware, instance_type,
       sum(coalesce(input_tokens, 0))::bigint, sum(coalesce(output_tokens, 0))::bigint
from said left join sent using (source_id, service, day)
where metric is distinct from %(histogram)s or not exists (
    select from ledger_signal c where c.organization_id = %(organization)s and c.source_id = said.source_id
       and c.service = said.service and c.day = said.day and c.signal = said.counters
)
group by 1, 2, 3, 4, 5, 6, 7, 8, 9
"""


def signal_tokens(organization_id: int, asked: Filter) -> pd.DataFrame:
    """
    Sum tokens by source, service, signal and model, counted or not, sampled records scaled up.

    Args:
        asked: its period; nothing else is looked at.

    Returns:
        ``COLUMNS`` and ``source`` (its name); ``both``: whether the service sent spans and metrics that day.
    """
    with organization_scope(organization_id):
        view = current_view(organization_id)
        rows: list[tuple[Any, ...]] = []
        if view is not None:
            with connection.cursor() as cursor:
                cursor.execute(_TOKENS, _parameters(organization_id, view.id, asked))
                rows = cursor.fetchall()
        names = dict(Source.objects.filter(organization_id=organization_id).values_list("id", "name"))
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.assign(source=[names[source_id] for source_id in frame["source_id"].tolist()])


def _parameters(organization_id: int, view_id: int, asked: Filter) -> dict[str, Any]:
    return {
        "organization": organization_id,
        "view": view_id,
        "from": asked.from_day,
        "to": asked.to_day,
        "spans": [SPANS, SAMPLED_SPANS],
        "metrics": METRICS,
        "compared": [SPANS, METRICS],
        "service": SERVICE,
        "signal": SIGNAL,
        "metric": METRIC,
        "scope": SCOPE,
        "counters": COUNTERS,
        "histogram": TOKEN_HISTOGRAM,
    }


def signal_differences(organization_id: int, asked: Filter) -> list[SignalDifference]:
    """List the services whose spans differ from their own metrics by over 5 % of tokens in the period."""
    return differences_of_services(signal_tokens(organization_id, asked))
