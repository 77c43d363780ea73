"""Who asks for an address, what they are answered, and something of their organization that an address can name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

from django.test import Client

from core.accounting.models import JobState, RestatementJob
from core.accounting.services import add_instruments, add_rule, add_site
from core.delivery.services import add_destination
from core.factors import own
from core.factors.pack import load_pack
from core.factors.services import load_factor_set
from core.ledger.models import Deletion, DeletionState
from core.ledger.services import create_source, ensure_source
from core.organizations import services
from core.organizations.models import Organization, Person
from core.organizations.policy import Action
from core.organizations.tenancy import organization_scope
from core.quantification.attribution_rules import Rule
from core.quantification.attribution_text import parse_condition
from core.quantification.scenario import Rewrite
from ingestion.models import Batch
from reporting.procurement.claims_given import read_claim
from reporting.procurement.criteria import Criterion
from reporting.procurement.workloads import Workload
from reporting.services import procurement
from reporting.services.scenarios import save_scenario
from reporting.services.targets import propose_target
from reporting.targets.definition import from_plain


@dataclass(frozen=True)
class Call:
    """One method of an address: who may, and what they are answered for an empty body in an empty organization."""

    method: str
    rights: tuple[Action, ...]  # any of them; none: whoever is somebody
    answer: int
    public: bool = False
    tokens_only: bool = False  # a wire protocol: people in a session are strangers to it
    body: str = ""
    content_type: str = "application/json"


@dataclass(frozen=True)
class Address:
    """What is known of an address beside its path."""

    calls: tuple[Call, ...]
    ids: dict[str, Callable[[Asker], object]] = field(default_factory=dict)  # of something of the asker's organization


def see(right: Action, answer: int = 200) -> Call:
    return Call("GET", (right,), answer)


def do(right: Action, answer: int) -> Call:
    return Call("POST", (right,), answer)


def door(answer: int, **about: str) -> Call:
    return Call("POST", (Action.INGEST,), answer, tokens_only=True, **about)


def open_to_all(answer: int, method: str = "GET") -> Call:
    return Call(method, (), answer, public=True)


@dataclass
class Asker:
    """Somebody who asks, and the organization that they belong to."""

    organization: Organization
    name: str
    rights: frozenset[Action]
    client: Client
    person: Person | None = None
    token_id: int | None = None
    secret: str = "wl_1_" + "x" * 43

    @property
    def headers(self) -> dict[str, str]:
        if self.token_id is None:
            return {}
        return {"Authorization": f"Bearer {self.secret}", "x-api-token": self.secret}

    def may(self, call: Call) -> bool:
        if call.tokens_only and self.token_id is None:
            return False
        return not call.rights or any(right in self.rights for right in call.rights)


def batch_of(asker: Asker) -> UUID:
    with organization_scope(asker.organization.id):
        source = ensure_source(asker.organization.id, "activity")
        batch = Batch.objects.create(
            organization_id=asker.organization.id,
            source=source,
            kind="activity",
            received_at=datetime(2026, 11, 1, tzinfo=UTC),
            size_bytes=1,
            body_hash=b"\0" * 32,
            token_id=asker.token_id,
            person_id=asker.person.pk if asker.person else None,
        )
    return batch.id


def bill_of(asker: Asker) -> int:
    """Make a bill with one rule of its own."""
    rule = {"rule": "ours", "service": "acme", "class": "outside"}
    source = create_source(
        organization_id=asker.organization.id,
        kind="focus",
        name=f"bill {uuid4()}",
        settings={"service_rules": [rule]},
    )
    return source.id


def source_of(asker: Asker) -> int:
    return ensure_source(asker.organization.id, "activity").id


def site_of(asker: Asker) -> str:
    slug = f"hall-{uuid4()}"  # an organization's own: nobody else has a site of this name
    add_site(organization_id=asker.organization.id, slug=slug, name="Hall", country="DE", zone="DE")
    return slug


def token_of(asker: Asker) -> int:
    token, _secret = services.issue_token(
        organization_id=asker.organization.id, name="lost", scopes=["ingest"], created_by=asker.person
    )
    return token.id


def token_of_source(asker: Asker) -> int:
    token, _secret = services.issue_token(
        organization_id=asker.organization.id, name="narrow", scopes=["ingest"], source_id=source_of(asker)
    )
    return token.id


def deletion_of(asker: Asker) -> int:
    with organization_scope(asker.organization.id):
        deletion = Deletion.objects.create(
            organization_id=asker.organization.id,
            source_id=source_of(asker),
            from_day=date(2026, 7, 1),
            to_day=date(2026, 7, 1),
            reason="a mistake",
            state=DeletionState.DELETED,
            batch_id=uuid4(),
        )
    return deletion.id


def own_factor(asker: Asker) -> int:
    factor = own.add_own_factor(
        organization_id=asker.organization.id, name="pue", value=1.2, source="Meters", where={"site": uuid4().hex}
    )
    return factor.id


def restatement_job(asker: Asker) -> int:
    factor_set = load_factor_set(load_pack()).factor_set
    with organization_scope(asker.organization.id):
        job = RestatementJob.objects.create(
            organization=asker.organization,
            factor_set=factor_set,
            methodology="2026.1",
            from_day=date(2026, 7, 1),
            to_day=date(2026, 9, 30),
            state=JobState.CANCELLED,
            asked_by="nobody",
            ended_at=datetime.now(UTC),
        )
    return job.id


def instrument_of(asker: Asker) -> int:
    given = {"type": "contract", "energy_kwh": "1", "intensity_g_per_kwh": "0", "market": "AIB", "vintage": "2025"}
    (made,) = add_instruments(
        organization_id=asker.organization.id, given=[given], today=datetime(2026, 11, 1, tzinfo=UTC).date()
    )
    return made.id


def rule_of(asker: Asker) -> int:
    rule = Rule((parse_condition("account is prod"),), {"team": "Search"})
    made = add_rule(organization_id=asker.organization.id, rule=rule).rule
    assert made is not None
    return made.id


def destination_of(asker: Asker) -> int:
    made, _secret = add_destination(
        organization_id=asker.organization.id, name=f"{uuid4()}", channel="email", address="team@example.org"
    )
    return made.id


def scenario_of(asker: Asker) -> int:
    rules = (Rewrite(scales={"volume": 2.0}),)
    return save_scenario(organization_id=asker.organization.id, name=f"Scenario {uuid4()}", rules=rules).id


def target_of(asker: Asker) -> int:
    """A target of the whole organization, about a task of its own so that no other contradicts it."""
    ceiling = {"path": "ceiling", "ceiling": 1.0, "starts_on": "2026-01-01", "filter": {"task": [str(uuid4())]}}
    return propose_target(
        organization_id=asker.organization.id,
        name=f"Target {uuid4()}",
        definition=from_plain(ceiling),
        today=date(2026, 11, 1),
    ).target_id


def factor_file(_: Asker) -> str:
    pack = load_pack()
    load_factor_set(pack)
    return next(iter(pack.blobs))


def evaluation_of(asker: Asker) -> int:
    made = procurement.save_evaluation(
        organization_id=asker.organization.id,
        name=f"Evaluation {uuid4()}",
        workload=Workload("typical", template="chat", year=2026),
        criteria=[Criterion("emissions", 1.0)],
    )
    return made.id


def frozen_of(asker: Asker) -> int:
    criterion = {"subject": "emissions", "weight": 1.0, "share": 1.0, "unit": "kg CO2e"}
    document = {
        **dict.fromkeys(("note", "currency", "as_of", "evidence_as_of"), ""),
        **{key: [] for key in ("offers", "turns", "left_out")},
        "name": "Assistant",
        "workload": {"kind": "typical", "template": "chat", "amounts_held": {}, "filter": {}},
        "criteria": [criterion],
        "verdict": "none_left",
        "emissions": {"verdict": "not_comparable", "best": "", "others": []},
        "simulation": {"draws": 10_000},
        "view_id": None,
        "factor_set": "sha256:0",
        "methodology": "2026.1",
    }
    made = procurement.freeze_evaluation(
        organization_id=asker.organization.id,
        evaluation_id=evaluation_of(asker),
        document=document,
        now=datetime(2026, 11, 1, tzinfo=UTC),
    )
    return made.id


def evidence_of(asker: Asker) -> int:
    claim = read_claim({"metric": "pue", "value": 1.2})
    (made,) = procurement.add_evidence(organization_id=asker.organization.id, provider="aws", claims=[claim])
    return made.id
