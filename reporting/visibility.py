"""Whether what filters cannot narrow may be shown to who asks: a record's own figure."""

from __future__ import annotations

from typing import Any

from core.organizations.identity import Identity
from core.organizations.policy import Action, may, narrowing


def may_see_record(identity: Identity, tree: dict[str, Any]) -> bool:
    """Tell whether a record's tree belongs to the team and project that the asker is narrowed to, if they are."""
    if not may(identity, Action.SEE_REQUESTS):
        return False
    own = narrowing(identity, requests=True)
    if not own:
        return True
    subjects = [plan["subjects"] for method in tree["children"] for plan in method["children"]]
    subjects += [entry["subjects"] for entry in tree["missing"]]
    return any(all(set(values) & set(subject.get(name, ())) for name, values in own.items()) for subject in subjects)
