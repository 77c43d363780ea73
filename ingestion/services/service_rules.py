"""An organization's own rules for the bills of a source: which rows are AI, see `ingestion.sources.service_rules`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from core.ledger.models import Source
from core.ledger.services import SourceError, update_source
from core.organizations.tenancy import organization_scope
from ingestion.sources import service_rules
from ingestion.sources.base import SettingError


def set_service_rules(
    *, organization_id: int, source_id: int, rules: Sequence[dict[str, Any]], reason: str = ""
) -> Source:
    """
    Put rules in place of a source's own; they hold for what is read from now on. An empty list takes them away.

    Raises SettingError naming the rule and the column at fault, SourceError when there is no such source.
    """
    service_rules.own_rules(list(rules))
    with transaction.atomic(), organization_scope(organization_id):
        source = Source.objects.select_for_update().filter(organization_id=organization_id, id=source_id).first()
        if source is None:
            raise SourceError("There is no source of that id.")
        settings = {name: value for name, value in source.settings.items() if name != service_rules.SETTING}
        if rules:
            settings[service_rules.SETTING] = list(rules)
        return update_source(organization_id=organization_id, source_id=source_id, settings=settings, reason=reason)


def read_rules(text: str) -> list[dict[str, Any]]:
    """
    Read rules from a file: CSV with the columns of `ai_services.csv`, or a JSON list of objects.

    Raises SettingError when it is neither.
    """
    if text.lstrip()[:1] in ("[", "{"):
        try:
            rules = json.loads(text)
        except ValueError as error:
            raise SettingError(f"the file of rules is no JSON: {error}") from error
        if not isinstance(rules, list):
            raise SettingError("the file of rules must hold a list")
        return rules
    lines = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    if lines.fieldnames is None or "rule" not in lines.fieldnames:
        raise SettingError(f"the file of rules has no header with the columns {', '.join(service_rules.COLUMNS)}")
    found = []
    for number, line in enumerate(lines, 1):
        if None in line:
            raise SettingError(f"rule {number} has more cells than the header: put texts with commas into quotes")
        found.append({name: _as_written(value) for name, value in line.items() if value})
    return found


def _as_written(text: str) -> str:
    """Take off the quote that an export puts before what a spreadsheet would run as a formula."""
    return text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@") else text
