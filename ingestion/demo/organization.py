"""Make the demo organization: its people, its payloads through the inbox, and the one rule that its overlap needs."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from django.apps import apps
from django.core.management import call_command
from django.db import transaction

from core.accounting.services import (
    add_instruments,
    declare_independent,
    derive_dirty_days,
    link_source,
    set_coverage_unit,
)
from core.factors.instrument_selectors import has_instruments
from core.identifiers import uuid7
from core.ledger.services import ensure_source, update_source
from core.organizations.identity import Actor, Identity
from core.organizations.models import Organization, Person, Role, Scope, Team
from core.organizations.services import add_member, create_organization, create_project, create_team, issue_token
from core.organizations.tenancy import organization_scope
from ingestion.demo import (
    azure,
    bills,
    bought,
    business,
    buying,
    cluster,
    contracts,
    decisions,
    goals,
    questions,
    register,
)
from ingestion.payloads import from_body, new_name
from ingestion.services.accept import accept_payload
from ingestion.services.drain import drain_inbox

SLUG: Final = "demo"
NAME: Final = "Northwind AI (demo)"
PASSWORD: Final = "northwind-demo"  # noqa: S105  # of made-up people in a made-up organization, printed at every start
DAYS: Final = 365
COMPLETE: Final = "demo_complete_at"  # in the organization's settings: an attempt that was cut short is taken up again
LIMIT_KG_CO2E_PER_YEAR: Final = 132_000.0

ACCEPTED: Final = "quarantine,unknown_models,cross_checks,late_sources,unlinked_sources"
"""What the demo's quarters are closed with: its data have the faults that a checklist is for."""

TEAMS: Final = {
    "Foundation models": 14,
    "Search": 11,
    "Assistants": 9,
    "Vision research": 8,
    "Support": 22,
    "Marketing": 12,
}
PROJECTS: Final = {
    "atlas": "Foundation models",
    "answers": "Search",
    "ranking": "Search",
    "defect-detection": "Vision research",
}
PEOPLE: Final = (
    ("lead@demo.example", "Lena Lindqvist", Role.SUSTAINABILITY_LEAD, None),
    ("owner@demo.example", "Omar Okafor", Role.OWNER, None),
    ("buyer@demo.example", "Priya Patel", Role.PROCUREMENT, None),
    ("member@demo.example", "Mia Moser", Role.MEMBER, "Search"),
    ("auditor@demo.example", "Arne Aas", Role.AUDITOR, None),
)


@dataclass(frozen=True)
class Made:
    """What came of it."""

    organization: Organization
    counts: Counter[str]


def create_demo(now: datetime) -> Made:
    """
    Make the organization ``demo`` with a year of activity up to `now`.

    Raises OrganizationError when it exists already.
    """
    begun = Organization.objects.filter(slug=SLUG, demo=True).exclude(settings__has_key=COMPLETE).first()
    organization = begun or create_organization(slug=SLUG, name=NAME, country="DE", demo=True)
    with transaction.atomic():
        populate(organization)
    today = now.astimezone(UTC).date()
    deliver(organization.id, now, today)
    counts = settle(organization.id)
    link_overlap(organization.id)
    buy_electricity(organization.id, today)
    settle(organization.id)
    register.enter(organization.id, today)
    settle(organization.id)
    call_command(
        "set_target",
        organization=SLUG,
        name="Absolute target",
        kg_per_year=LIMIT_KG_CO2E_PER_YEAR,
        starts_on=date(today.year - 1, 1, 1),
        stdout=Silent(),
    )
    enter_business_figures(today)
    set_targets(organization.id, today)
    ask_questions(organization.id, today)
    compare_offers(organization.id, today)
    decisions.decide(organization.id, SLUG, today)
    close_quarters(organization.id, today)
    organization.settings[COMPLETE] = now.astimezone(UTC).isoformat()
    organization.save(update_fields=["settings"])
    return Made(organization, counts)


def enter_business_figures(today: date) -> None:
    """Enter what emissions are divided by, from a sheet as finance would send it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "denominators.csv"
        file.write_text(business.sheet(today))
        call_command("import_denominators", str(file), organization=SLUG, stdout=Silent())


def set_targets(organization_id: int, today: date) -> None:
    """Propose targets as the sustainability lead and approve them as the owner; an interrupted attempt may have set some."""
    with organization_scope(organization_id):
        there = apps.get_model("reporting", "Target").objects.filter(organization_id=organization_id)
        names = set(there.values_list("name", flat=True))
    lead, owner = PEOPLE[0][0], PEOPLE[1][0]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "target.json"
        for goal in goals.goals(today - timedelta(days=DAYS)):
            if goal.name in names:
                continue
            file.write_text(json.dumps(goal.target))
            call_command(
                "target",
                organization=SLUG,
                name=goal.name,
                note=goal.note,
                definition=str(file),
                owner=lead,
                proposed_by=lead,
                approved_by=owner if goal.is_approved else None,
                stdout=Silent(),
            )


def ask_questions(organization_id: int, today: date) -> None:
    """Save scenarios over the year, as somebody who decides would; an attempt that was cut short may have saved some."""
    with organization_scope(organization_id):
        scenarios = apps.get_model("reporting", "Scenario").objects.filter(organization_id=organization_id)
        saved = set(scenarios.values_list("name", flat=True))
    year = {"from_day": today - timedelta(days=DAYS), "to_day": today - timedelta(days=1)}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rules.json"
        for name, rules in questions.SCENARIOS.items():
            if name in saved:
                continue
            file.write_text(json.dumps(rules))
            call_command("scenario", organization=SLUG, rules=str(file), save=name, stdout=Silent(), **year)


def compare_offers(organization_id: int, today: date) -> None:
    """Save evaluations of offers, as somebody who buys would; an attempt that was cut short may have saved some."""
    with organization_scope(organization_id):
        evaluations = apps.get_model("reporting", "Evaluation").objects.filter(organization_id=organization_id)
        saved = set(evaluations.values_list("name", flat=True))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "evaluation.json"
        for given in buying.evaluations(today):
            freeze = given.pop("freeze")
            if given["name"] in saved:
                continue
            file.write_text(json.dumps(given))
            call_command("evaluation", organization=SLUG, file=str(file), freeze=freeze, stdout=Silent())


def close_quarters(organization_id: int, today: date) -> None:
    """Close the quarters that are over, the oldest first, as two people would; an attempt that was cut short may have begun."""
    with organization_scope(organization_id):
        inventories = apps.get_model("reporting", "Inventory").objects.filter(organization_id=organization_id)
        closed = set(inventories.values_list("period", flat=True))
    (preparer, *_), (approver, *_) = PEOPLE[:2]
    for period in quarters_over(today):
        if period in closed:
            continue
        call_command(
            "close_period",
            organization=SLUG,
            period=period,
            prepared_by=preparer,
            approved_by=approver,
            accept=ACCEPTED,
            stdout=Silent(),
        )


def quarters_over(today: date) -> list[str]:
    """
    Name the quarters with activity that ended before a day, the oldest first.

    >>> quarters_over(date(2026, 11, 26))
    ['2025-Q4', '2026-Q1', '2026-Q2', '2026-Q3']
    """
    first = today - timedelta(days=DAYS)
    numbers = range(first.year * 4 + (first.month - 1) // 3, today.year * 4 + (today.month - 1) // 3)
    return [f"{number // 4}-Q{number % 4 + 1}" for number in numbers]


def is_complete() -> bool:
    """Say whether the demo organization was made to its end."""
    return Organization.objects.filter(slug=SLUG, demo=True, settings__has_key=COMPLETE).exists()


def populate(organization: Organization) -> None:
    """Enter teams, projects and people, unless an earlier, interrupted attempt has done so."""
    with organization_scope(organization.id):
        if Team.objects.exists():
            return
    teams = {name: create_team(organization_id=organization.id, name=name, head_count=n) for name, n in TEAMS.items()}
    for project, team in PROJECTS.items():
        create_project(organization_id=organization.id, name=project, team=teams[team])
    for email, name, role, team_name in PEOPLE:
        person = Person.objects.filter(email=email).first() or Person.objects.create_user(email, PASSWORD, name=name)
        add_member(
            organization_id=organization.id, person=person, role=role, team=teams[team_name] if team_name else None
        )


class Silent:
    """Takes what a command prints."""

    def write(self, _text: str) -> None:
        """Print nothing."""


def deliver(organization_id: int, now: datetime, today: date) -> None:
    """Send every payload, some of them twice, some of them broken."""
    first_day = today - timedelta(days=DAYS)
    days = [first_day + timedelta(days=number) for number in range(DAYS)]
    rng = bought.rng_for(first_day)
    agent = sender(organization_id, "Cluster agent fra-1")
    months = list(cluster.payloads(now, first_day, rng))
    for body in (*months, months[-2], cluster.broken(now)):  # the agent resent a month after its disk was full
        send(agent, "activity", "cluster", body, "application/x-ndjson")

    by_day = {day: bought.calls(day, first_day, bought.rng_for(day)) for day in days}
    people = sender(organization_id, "Usage export")
    for number, body in enumerate(bought.usage_exports(days, by_day), 1):
        send(people, "openai_usage", "openai", body, "application/json", f"usage-completions-{number}.json")
    gateway = sender(organization_id, "Gateway")
    send(gateway, "activity", "gateway", bought.gateway(days, by_day), "application/x-ndjson")

    lab = sender(organization_id, "Retrieval lab", team="Search", project="retrieval-lab")
    send(lab, "codecarbon_csv", "retrieval-lab", bought.experiments(now, rng), "text/csv", "emissions.csv")

    finance = sender(organization_id, "Cost export")
    monthly = list(bills.monthly(days))
    for name, body in (*monthly, monthly[-2]):  # the month before was delivered once more, unchanged
        send(finance, "focus", "cloud-bills", body, "text/csv", name)
    for name, body in azure.monthly(days):
        send(finance, "azure_cost", "azure-subscription", body, "text/csv", name)
    send(gateway, "litellm", "litellm-gateway", azure.spend_log(days), "application/json", "spend-logs.json")


def sender(organization_id: int, name: str, team: str = "", project: str = "") -> Identity:
    """Issue a token and act as who holds it."""
    token, _secret = issue_token(
        organization_id=organization_id, name=name, scopes=[Scope.INGEST.value], team=team, project=project
    )
    return Identity(
        organization_id=organization_id,
        actor=Actor("token", str(token.id), name),
        scopes=frozenset(token.scopes),
        token_id=token.id,
        team=team,
        project=project,
    )


def send(identity: Identity, kind: str, source: str, body: bytes, content_type: str, filename: str = "") -> None:
    """Put a body into the inbox as its door would."""
    batch_id = uuid7()
    file = from_body(
        body,
        digest=hashlib.sha256(body).digest(),
        encoding="",
        content_type=content_type,
        filename=filename or source,
        name=new_name(identity.organization_id, datetime.now(UTC).date(), batch_id, 1),
    )
    accept_payload(identity=identity, kind=kind, source_name=source, files=[file], batch_id=batch_id)


def settle(organization_id: int) -> Counter[str]:
    """Drain the inbox and derive, until both are done."""
    counts: Counter[str] = Counter()
    while True:
        drained = drain_inbox(organization_id)
        counts.update(drained.counts)
        if not drained.more:
            break
    while derive_dirty_days(organization_id).left:
        pass
    return counts


def buy_electricity(organization_id: int, today: date) -> None:
    """Enter the contracts for electricity, unless an earlier, interrupted attempt has done so."""
    with organization_scope(organization_id):
        if not has_instruments(organization_id):
            add_instruments(organization_id=organization_id, given=contracts.instruments(today), today=today)


def link_overlap(organization_id: int) -> None:
    """Say what the sources describe: the gateway and the provider's export see the same calls."""
    sources = {
        name: ensure_source(organization_id, kind, name).id
        for kind, name in (
            ("activity", "cluster"),
            ("activity", "gateway"),
            ("openai_usage", "openai"),
            ("codecarbon_csv", "retrieval-lab"),
            ("focus", "cloud-bills"),
            ("azure_cost", "azure-subscription"),
            ("litellm", "litellm-gateway"),
        )
    }
    update_source(
        organization_id=organization_id,
        source_id=sources["openai"],
        settings={"team": "Support", "environment": "production"},
        reason="The API organization belongs to the support desk; marketing's project is split out below.",
    )
    unit = set_coverage_unit(
        organization_id=organization_id,
        name="OpenAI organization",
        reason="The provider's export holds every call; the gateway sees the help desk's only, but one by one.",
    )
    for name in ("openai", "gateway"):
        link_source(organization_id=organization_id, source_id=sources[name], unit_id=unit.id)
    subscription = set_coverage_unit(
        organization_id=organization_id,
        name="Azure subscription",
        reason="The bill holds every token; the gateway's log most of them, call by call.",
    )
    for name in ("azure-subscription", "litellm-gateway"):
        link_source(organization_id=organization_id, source_id=sources[name], unit_id=subscription.id)
    for name in ("cluster", "retrieval-lab"):
        declare_independent(
            organization_id=organization_id, source_id=sources[name], reason="Own hardware, metered by one agent each."
        )
