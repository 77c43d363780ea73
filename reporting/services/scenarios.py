"""Keep scenarios under a name, change and remove them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.db import IntegrityError, transaction

from core.accounting.selectors.scenarios import refuse_unknown_names
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from core.quantification.scenario import Rewrite, ScenarioError, as_plain
from reporting.models import Scenario

LONGEST_NAME: Final = 100
LONGEST_NOTE: Final = 2_000
MOST: Final = 500


def save_scenario(
    *,
    organization_id: int,
    name: str,
    rules: Sequence[Rewrite],
    note: str = "",
    created_by_id: int | None = None,
    scenario_id: int | None = None,
) -> Scenario:
    """
    Keep rules under a name, or change those of a scenario that there is.

    Raises:
        ScenarioError: a name that is empty, too long or taken, a note that is too long, names that no factor is known for.
        Scenario.DoesNotExist: the organization has no such scenario.
    """
    name = " ".join(name.replace("\0", "").split())
    note = note.replace("\0", "").strip()
    if not name or len(name) > LONGEST_NAME:
        raise ScenarioError("name", f"Give the scenario a name of 1 to {LONGEST_NAME} characters.")
    if len(note) > LONGEST_NOTE:
        raise ScenarioError("note", f"The note is longer than {LONGEST_NOTE} characters.")
    plain = [as_plain(each) for each in rules]
    with organization_scope(organization_id):
        refuse_unknown_names(organization_id, rules)
        before = None
        if scenario_id is None:
            if Scenario.objects.filter(organization_id=organization_id).count() >= MOST:
                raise ScenarioError("name", f"There are {MOST} scenarios: remove one first.")
            scenario = Scenario(organization_id=organization_id, created_by_id=created_by_id)
        else:
            scenario = Scenario.objects.select_for_update().get(organization_id=organization_id, id=scenario_id)
            before = described(scenario)
        scenario.name, scenario.note, scenario.rules = name, note, plain
        scenario.changed_at = datetime.now(UTC)
        try:
            with transaction.atomic():
                scenario.save()
        except IntegrityError as error:
            if "scenario_name_once" not in str(error):
                raise
            raise ScenarioError("name", f"There is a scenario of the name {name!r} already.") from None
        record_event(
            organization_id=organization_id,
            action="save_scenario",
            object_type="scenario",
            object_id=scenario.id,
            before=before,
            after=described(scenario),
        )
    return scenario


def remove_scenario(*, organization_id: int, scenario_id: int) -> bool:
    """Remove a scenario; False where there is no such."""
    with organization_scope(organization_id):
        scenario = Scenario.objects.filter(organization_id=organization_id, id=scenario_id).first()
        if scenario is None:
            return False
        before = described(scenario)
        scenario.delete()
        record_event(
            organization_id=organization_id,
            action="remove_scenario",
            object_type="scenario",
            object_id=scenario_id,
            before=before,
        )
    return True


def described(scenario: Scenario) -> dict[str, Any]:
    """Write a scenario as the audit log keeps it."""
    return {"name": scenario.name, "note": scenario.note, "rules": scenario.rules}
