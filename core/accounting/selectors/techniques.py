"""Techniques that the uses of a period name: quantized, distilled, cached. They are part of no grouping of figures."""

from __future__ import annotations

from django.db import connection

from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.selectors.conditions import conditions, folded_teams_of, unfolded
from core.organizations.tenancy import organization_scope


def techniques_by_model(organization_id: int, view: View, asked: Filter) -> dict[str, list[str]]:
    """List the techniques of each model that has activity in a period and filter."""
    with organization_scope(organization_id):
        where, values = conditions(organization_id, unfolded(asked, folded_teams_of(organization_id)))
        with connection.cursor() as cursor:
            cursor.execute(
                "select r.model, array_agg(distinct t.name order by t.name) from accounting_resolved_series r"
                " cross join lateral unnest(r.techniques) t(name)"
                " where r.organization_id = %s and r.model is not null and r.techniques <> '{}'"
                f" and {where} and exists (select from accounting_monthly m where m.organization_id = r.organization_id"
                " and m.view_id = %s and m.resolved_id = r.id and m.month between date_trunc('month', %s::date) and %s)"
                " group by 1",
                [organization_id, *values, view.id, asked.from_day, asked.to_day],
            )
            return dict(cursor.fetchall())
