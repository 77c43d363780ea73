"""
Every address, walked as a stranger, as every role, with every kind of token and with another organization's ids.

``WHO`` says by hand what an address takes, who may use it and what it then answers; an address that is not in it fails the
first test. Which role and which token has a right is written out by hand in core/organizations/test_policy.py.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from core.organizations import services
from core.organizations.models import Organization, Person, Role, Scope
from core.organizations.policy import ALLOWED, ALLOWED_BY_SCOPE, Action
from tests.addresses import ELSEWHERE
from tests.askers import (
    Address,
    Asker,
    Call,
    batch_of,
    bill_of,
    deletion_of,
    do,
    door,
    factor_file,
    instrument_of,
    open_to_all,
    own_factor,
    restatement_job,
    rule_of,
    scenario_of,
    see,
    site_of,
    source_of,
    token_of,
    token_of_source,
)

pytestmark = pytest.mark.django_db

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
NOT_FOUND = "/api/v1/nothing-of-this-name"

A = Action
BATCH = {"batch_id": batch_of}
INSTRUMENT = {"instrument_id": instrument_of}
RULE = {"rule_id": rule_of}
SOURCE = {"source_id": source_of}
BILL = {"source_id": bill_of}
SCENARIO = {"scenario_id": scenario_of}
WHO: dict[str, Address] = {
    # operators
    "healthz": Address((open_to_all(200),)),
    "readyz": Address((open_to_all(503),)),  # the tests run no worker
    "language": Address((open_to_all(302, "POST"),)),
    # doors
    "activity": Address((see(A.SEE_REQUESTS), door(415, content_type="text/plain"))),
    "imports": Address((Call("POST", (A.INGEST, A.MANAGE_SOURCES), 415),)),
    "register": Address((see(A.SEE_PERIODS), Call("POST", (A.INGEST, A.MANAGE_SOURCES), 400, body="{}"))),
    "litellm": Address((door(415, content_type="text/plain"),)),
    "otlp": Address((door(415, content_type="text/plain"),), {"signal": lambda _: "traces"}),
    **dict.fromkeys(("codecarbon_runs", "codecarbon_emissions"), Address((door(400, body="no JSON"),))),
    "codecarbon_output": Address((door(400, body="no JSON"),), {"secret": lambda asker: asker.secret}),
    "codecarbon_other": Address(tuple(open_to_all(501, method) for method in METHODS)),
    "batch": Address((Call("GET", (A.SEE_SOURCES, A.INGEST), 200),), BATCH),
    "batch_rejected": Address((Call("GET", (A.SEE_SOURCES, A.INGEST), 200),), BATCH),
    # sources and quality
    "api_sources": Address((see(A.SEE_SOURCES),)),
    "sources": Address((see(A.SEE_SOURCES),)),
    "months": Address((see(A.MANAGE_SOURCES), do(A.MANAGE_SOURCES, 200))),
    "months_template": Address((see(A.SEE_SOURCES),)),
    "import": Address((see(A.MANAGE_SOURCES), do(A.MANAGE_SOURCES, 400))),
    "seats_template": Address((see(A.SEE_SOURCES),)),
    "import_template": Address((see(A.SEE_SOURCES),), {"ending": lambda _: "csv"}),
    "batches": Address((see(A.SEE_SOURCES),)),
    "batch_page": Address((see(A.SEE_SOURCES),), BATCH),
    "batch_commit": Address((do(A.MANAGE_SOURCES, 302),), BATCH),
    "batch_confirm": Address((do(A.MANAGE_SOURCES, 302),), BATCH),
    "experiments": Address((see(A.SEE_SOURCES), do(A.MANAGE_SOURCES, 400))),
    "source_add": Address((see(A.MANAGE_SOURCES), do(A.MANAGE_SOURCES, 400))),
    "source": Address((see(A.SEE_SOURCES),), SOURCE),
    "source_live": Address((see(A.SEE_SOURCES),), SOURCE),
    "source_settings": Address((do(A.MANAGE_SOURCES, 302),), SOURCE),
    "source_token": Address((do(A.MANAGE_SOURCES, 200),), SOURCE),
    "source_revoke": Address((do(A.MANAGE_SOURCES, 302),), SOURCE | {"token_id": token_of_source}),
    "source_delete": Address((do(A.MANAGE_SOURCES, 400),), SOURCE),
    "source_deletions": Address((see(A.SEE_SOURCES),), SOURCE),
    "source_restore": Address((do(A.MANAGE_SOURCES, 302),), SOURCE | {"deletion_id": deletion_of}),
    "source_pause": Address((do(A.MANAGE_SOURCES, 302),), {"source_id": source_of}),
    "quality": Address((see(A.SEE_SOURCES),)),
    "quality_rows": Address((see(A.SEE_SOURCES),), {"source_id": source_of, "reason": lambda _: "bad_field"}),
    "quality_fix": Address(
        (see(A.MANAGE_SOURCES), do(A.MANAGE_SOURCES, 200)), {"source_id": source_of, "reason": lambda _: "bad_field"}
    ),
    "quality_conflicts": Address((see(A.MANAGE_SOURCES), do(A.MANAGE_SOURCES, 400)), SOURCE),
    "quality_conflict_back": Address((do(A.MANAGE_SOURCES, 302),), SOURCE | {"row_id": lambda _: 1}),
    "quality_export": Address((see(A.SEE_SOURCES),), {"ending": lambda _: "csv"}),
    "quality_replay": Address((do(A.MANAGE_SOURCES, 302),)),
    "quality_discard": Address((do(A.MANAGE_SOURCES, 302),)),
    "coverage_units": Address((see(A.SEE_SOURCES),)),
    "coverage_unit": Address((do(A.MANAGE_SOURCES, 400),)),
    "coverage_link": Address((do(A.MANAGE_SOURCES, 400),)),
    "coverage_proposed": Address((do(A.MANAGE_SOURCES, 302),)),
    "coverage_remove": Address((do(A.MANAGE_SOURCES, 302),), {"link_id": lambda _: 1}),
    "completeness": Address((see(A.SEE_SOURCES), do(A.MANAGE_SOURCES, 400))),
    "expected_remove": Address((do(A.MANAGE_SOURCES, 302),), {"expected_id": lambda _: 1}),
    # figures
    "overview": Address((see(A.SEE_OWN_TEAM),)),
    "dismiss_next_steps": Address((do(A.MANAGE_SOURCES, 302),)),
    "only_reviewer": Address((do(A.MANAGE_PEOPLE, 302),)),
    "teams": Address((see(A.SEE_OWN_TEAM),)),
    "models": Address((see(A.SEE_OWN_TEAM),)),
    "team": Address((see(A.SEE_OWN_TEAM, 404),), {"team": lambda _: "nobody"}),
    "model": Address((see(A.SEE_OWN_TEAM, 404),), {"model": lambda _: "no-model/of-this-name"}),
    "providers": Address((see(A.SEE_PROVIDERS),)),
    "requests": Address((see(A.SEE_REQUESTS),)),
    "requests_spread": Address((see(A.SEE_REQUESTS),)),
    "requests_export": Address((do(A.SEE_REQUESTS, 302),)),
    "export_file": Address((see(A.SEE_REQUESTS, 404),), {"export_id": lambda _: 1}),
    "search": Address((see(A.SEE_OWN_TEAM),)),
    "system": Address((see(A.MANAGE_PEOPLE),)),
    "system_reconcile": Address((do(A.MANAGE_PEOPLE, 302),)),
    "jobs": Address((see(A.SEE_OWN_TEAM),)),
    "jobs_running": Address((see(A.SEE_OWN_TEAM),)),
    "job": Address((see(A.SEE_OWN_TEAM, 404),), {"job_id": lambda _: "export-1"}),
    "cancel_job": Address((do(A.SEE_OWN_TEAM, 404),), {"job_id": lambda _: "export-1"}),
    "request": Address((see(A.SEE_REQUESTS, 404),)),  # without a record in the query string
    "runs": Address((see(A.SEE_OWN_TEAM),)),
    "run": Address((see(A.SEE_OWN_TEAM, 404),), {"run": lambda _: "never/sent"}),
    "api_run": Address((see(A.SEE_OWN_TEAM, 404),), {"run": lambda _: "never/sent"}),
    "filter_values": Address((see(A.SEE_OWN_TEAM, 404),)),  # without the name of a filter
    "saved_filters": Address((see(A.SEE_OWN_TEAM),)),
    "save_filter": Address((do(A.SEE_OWN_TEAM, 302),)),
    "remove_filter": Address((do(A.SEE_OWN_TEAM, 404),), {"saved_id": lambda _: 1}),  # of nobody
    "make_link": Address((do(A.SEE_OWN_TEAM, 302),)),
    "short_link": Address((see(A.SEE_OWN_TEAM, 404),), {"key": lambda _: "nobodys"}),
    "intensity": Address((see(A.SEE_OWN_TEAM),)),
    "denominators": Address((see(A.SEE_OWN_TEAM), do(A.EDIT_DENOMINATORS, 400))),
    "import_denominators": Address((see(A.EDIT_DENOMINATORS, 302), do(A.EDIT_DENOMINATORS, 400))),
    "denominator_template": Address((see(A.SEE_OWN_TEAM),)),
    "api_coverage": Address((see(A.SEE_ALL_TEAMS),)),
    "api_sci": Address((see(A.SEE_OWN_TEAM),)),
    "api_denominators": Address((see(A.SEE_OWN_TEAM), do(A.EDIT_DENOMINATORS, 400))),
    "bookings": Address((see(A.SEE_OWN_TEAM),)),
    "changes": Address((see(A.SEE_OWN_TEAM),)),
    "api_variance": Address((see(A.SEE_OWN_TEAM),)),
    "api_scenarios": Address((see(A.SEE_ALL_TEAMS), do(A.EDIT_SCENARIOS, 400))),
    "api_scenario": Address((see(A.SEE_ALL_TEAMS), Call("DELETE", (A.EDIT_SCENARIOS,), 204)), SCENARIO),
    "api_scenario_figures": Address((see(A.SEE_ALL_TEAMS, 400), do(A.SEE_ALL_TEAMS, 400))),  # without a scenario
    "explain": Address((see(A.SEE_OWN_TEAM, 404),)),  # no figure yet, so nothing to explain
    "api_emissions": Address((see(A.SEE_OWN_TEAM),)),
    "api_explain": Address((see(A.SEE_OWN_TEAM, 404),)),
    # decide, report
    "scenarios": Address((see(A.SEE_ALL_TEAMS),)),
    "scenario_add": Address((see(A.EDIT_SCENARIOS), do(A.EDIT_SCENARIOS, 400))),
    "scenario_change": Address((see(A.EDIT_SCENARIOS), do(A.EDIT_SCENARIOS, 400)), SCENARIO),
    "scenario_remove": Address((do(A.EDIT_SCENARIOS, 302),), SCENARIO),
    "scenario_figures": Address((see(A.SEE_ALL_TEAMS),), {"ids": lambda asker: str(scenario_of(asker))}),
    "disclosures": Address((see(A.SEE_PERIODS),)),
    "disclosure_draft": Address((see(A.SEE_PERIODS, 409),), {"period": lambda _: "2026-Q3"}),
    "factors": Address((see(A.SEE_OWN_TEAM),)),
    "restatements": Address((see(A.SEE_ALL_TEAMS), do(A.MANAGE_FACTORS, 400))),
    "restatement": Address((see(A.SEE_ALL_TEAMS),), {"job_id": restatement_job}),
    "decide_restatement": Address((do(A.MANAGE_FACTORS, 302),), {"job_id": restatement_job}),
    "own_factors": Address((see(A.SEE_OWN_TEAM), do(A.MANAGE_FACTORS, 400))),
    "grid_series": Address((see(A.SEE_OWN_TEAM), do(A.MANAGE_FACTORS, 400))),
    "choose_granularity": Address((do(A.MANAGE_FACTORS, 302),)),
    "remove_grid_series": Address((do(A.MANAGE_FACTORS, 302),), {"series_id": lambda _: 1}),
    "end_own_factor": Address((do(A.MANAGE_FACTORS, 302),), {"factor_id": own_factor}),
    "methodology": Address((see(A.SEE_OWN_TEAM),)),
    "methodology_page": Address((see(A.SEE_OWN_TEAM),), {"name": lambda _: "tokens"}),
    "factor_table": Address((see(A.SEE_OWN_TEAM, 302),), {"name": factor_file}),
    "factor_row": Address((see(A.SEE_OWN_TEAM, 404),)),  # without an id in the query string
    "factor_diff": Address((see(A.SEE_OWN_TEAM),)),
    "factor_names": Address((see(A.SEE_SOURCES),)),
    "remove_alias": Address((do(A.MANAGE_SOURCES, 302),), {"alias_id": lambda _: 1}),
    "set_alias": Address((do(A.MANAGE_SOURCES, 400),)),
    "api_factors": Address((see(A.SEE_OWN_TEAM),)),
    "instruments": Address((see(A.SEE_ALL_TEAMS),)),
    "instrument_add": Address((see(A.MANAGE_INSTRUMENTS), do(A.MANAGE_INSTRUMENTS, 400))),
    "instrument_import": Address((see(A.MANAGE_INSTRUMENTS, 302), do(A.MANAGE_INSTRUMENTS, 400))),
    "instrument_template": Address((see(A.MANAGE_INSTRUMENTS),)),
    "instrument_markets": Address((do(A.MANAGE_INSTRUMENTS, 302),)),
    "instrument": Address((see(A.SEE_ALL_TEAMS),), INSTRUMENT),
    "instrument_retire": Address((do(A.MANAGE_INSTRUMENTS, 400),), INSTRUMENT),
    "instrument_hours": Address((do(A.MANAGE_INSTRUMENTS, 400),), INSTRUMENT),
    "instrument_withdraw": Address((do(A.MANAGE_INSTRUMENTS, 400),), INSTRUMENT),
    "api_instruments": Address((see(A.SEE_ALL_TEAMS), do(A.MANAGE_INSTRUMENTS, 400))),
    "audit": Address((see(A.SEE_AUDIT_LOG),)),
    # settings
    "settings": Address((see(A.SEE_OWN_TEAM),)),
    "bill_rules": Address((see(A.SEE_SOURCES),)),
    "bill_rule_add": Address((see(A.MANAGE_SOURCES), do(A.MANAGE_SOURCES, 400)), BILL),
    "bill_rule_edit": Address((see(A.MANAGE_SOURCES), do(A.MANAGE_SOURCES, 400)), BILL | {"name": lambda _: "ours"}),
    "bill_rules_change": Address((do(A.MANAGE_SOURCES, 302),), BILL),
    "bill_rules_import": Address((do(A.MANAGE_SOURCES, 400),), BILL),
    "bill_rules_export": Address((see(A.SEE_SOURCES),), BILL),
    "privacy": Address((see(A.SEE_OWN_TEAM),)),
    "change_retention": Address((do(A.MANAGE_PEOPLE, 400),)),
    "ask_for_user_counts": Address((do(A.MANAGE_PEOPLE, 400),)),
    "approve_user_counts": Address((do(A.MANAGE_PEOPLE, 302),)),
    "end_user_counts": Address((do(A.MANAGE_PEOPLE, 302),)),
    "issue_token": Address((do(A.ISSUE_INGEST_TOKEN, 400),)),
    "revoke_token": Address((do(A.ISSUE_INGEST_TOKEN, 302),), {"token_id": token_of}),
    "attribution": Address((see(A.SEE_SOURCES),)),
    "attribution_file": Address((see(A.SEE_SOURCES),)),
    "attribution_import": Address((see(A.MANAGE_SOURCES, 302), do(A.MANAGE_SOURCES, 400))),
    "attribution_add": Address((see(A.MANAGE_SOURCES), do(A.MANAGE_SOURCES, 400))),
    "attribution_rule": Address((see(A.SEE_SOURCES), do(A.MANAGE_SOURCES, 400)), RULE),
    "attribution_move": Address((do(A.MANAGE_SOURCES, 302),), RULE),
    "attribution_end": Address((do(A.MANAGE_SOURCES, 302),), RULE),
    "api_attribution_rules": Address((see(A.SEE_SOURCES), do(A.MANAGE_SOURCES, 400))),
    "save_own": Address((do(A.SEE_OWN_TEAM, 302),)),
    "add_member": Address((do(A.MANAGE_PEOPLE, 400),)),
    "add_team": Address((do(A.MANAGE_PEOPLE, 400),)),
    "update_organization": Address((do(A.MANAGE_PEOPLE, 400),)),
    "sites": Address((see(A.SEE_PERIODS), do(A.MANAGE_SOURCES, 400))),
    "site": Address((see(A.SEE_PERIODS), do(A.MANAGE_SOURCES, 400)), {"slug": site_of}),
    "consolidation": Address((do(A.MANAGE_SOURCES, 400),)),
    "register_upload": Address((see(A.MANAGE_SOURCES), do(A.MANAGE_SOURCES, 400))),
    "register_template": Address((see(A.SEE_PERIODS),)),
    **ELSEWHERE,
    # the API's own description
    "schema": Address((Call("GET", (), 200),)),
    "docs": Address((Call("GET", (), 200),)),
}
IDS_OF_ORGANIZATIONS = (
    "slug",
    "batch_id",
    "source_id",
    "token_id",
    "instrument_id",
    "rule_id",
    "deletion_id",
    "scenario_id",
    "destination_id",
    "evaluation_id",
    "evidence_id",
    "frozen_id",
    "target_id",
)
ACCOUNTS_OPEN_TO_STRANGERS = {
    "account_login",
    "account_signup",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key_done",
    "account_email_verification_sent",
    "account_inactive",
}
"""Of django-allauth's addresses; signing up answers that it is closed."""


def addresses(below: str = "") -> dict[str, str]:
    """All addresses by name; those of django-allauth only when asked for."""
    found: dict[str, str] = {}

    def walk(patterns: list[URLPattern | URLResolver], prefix: str) -> None:
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns, route)
            elif route.startswith("accounts/") == (below == "accounts/"):
                found[pattern.name or route] = route

    walk(get_resolver().url_patterns, "")
    return found


def path_of(name: str, asker: Asker, **other: object) -> str:
    if name == "codecarbon_other":
        return "/codecarbon/organizations"
    ids = {key: make(asker) for key, make in WHO[name].ids.items()}
    return reverse(name, kwargs=ids | other)


def ask(asker: Asker, call: Call, path: str) -> Any:
    return asker.client.generic(call.method, path, call.body, content_type=call.content_type, headers=asker.headers)


def is_page(path: str) -> bool:
    return not path.startswith(("/api/", "/otlp/", "/codecarbon/"))


def says(answer: Any, status: int) -> None:
    """Hold a refusal to its form: a problem document for programs (a google.rpc.Status for OTLP), a page for people."""
    assert answer.status_code == status
    path = answer.wsgi_request.path
    if path.startswith("/otlp/"):
        return
    if is_page(path) and "Authorization" not in answer.wsgi_request.headers:
        assert "<main" in answer.content.decode()
        return
    assert answer["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["type"].startswith("urn:wattledger:problem:")
    assert document["title"]
    assert document["detail"]


@pytest.fixture
def people(organization: Organization) -> list[Asker]:
    """A member of each role."""
    made = []
    for role in Role:
        person = Person.objects.create_user(f"{role}@example.org")  # without a password, whose hash takes time
        services.add_member(organization_id=organization.id, person=person, role=role)
        client = Client()
        client.force_login(person)
        made.append(Asker(organization, str(role), ALLOWED[role], client, person=person))
    return made


@pytest.fixture
def tokens(organization: Organization) -> list[Asker]:
    """A token of each scope."""
    made = []
    for scope in Scope:
        token, secret = services.issue_token(organization_id=organization.id, name=scope, scopes=[scope])
        made.append(
            Asker(organization, f"token {scope}", ALLOWED_BY_SCOPE[scope], Client(), token_id=token.id, secret=secret)
        )
    return made


@pytest.fixture
def stranger(organization: Organization) -> Asker:
    return Asker(organization, "stranger", frozenset(), Client())


def test_somebody_has_said_who_may_use_each_address() -> None:
    names = addresses()

    assert len(names) > 20
    assert set(names) - set(WHO) == set(), "say in WHO who may use these"
    assert set(WHO) - set(names) == set(), "these addresses are gone"


def test_each_id_in_an_address_is_said_to_be_an_organization_s_or_not() -> None:
    groups = {
        name: set(re.findall(r"<(?:\w+:)?(\w+)>", route.replace("(?P<", "<"))) for name, route in addresses().items()
    }

    assert {name: ids for name, ids in groups.items() if ids} == {
        name: set(address.ids) for name, address in WHO.items() if address.ids
    }


@pytest.mark.parametrize("name", sorted(WHO))
def test_a_stranger_is_sent_to_sign_in_or_told_that_a_token_is_needed(name: str, stranger: Asker) -> None:
    path = path_of(name, stranger)

    for call in WHO[name].calls:
        answer = ask(stranger, call, path)

        if call.public:
            assert answer.status_code == call.answer
        elif is_page(path):
            assert answer.status_code == 302
            assert answer["Location"] == f"/accounts/login/?next={path if call.method == 'GET' else '/'}"
        else:
            says(answer, 401)
            if not path.startswith("/otlp/"):
                assert answer["WWW-Authenticate"] == 'Bearer realm="wattledger"'


@pytest.mark.parametrize("name", sorted(WHO))
def test_each_role_may_what_the_policy_says(name: str, people: list[Asker]) -> None:
    for asker in people:
        path = path_of(name, asker)
        for call in WHO[name].calls:
            answer = ask(asker, call, path)

            if asker.may(call) or call.public:
                assert answer.status_code == call.answer, (asker.name, call.method)
                assert answer.status_code != 302 or "/accounts/" not in answer["Location"]
            else:
                says(answer, 401 if call.tokens_only else 403)


@pytest.mark.parametrize("name", sorted(WHO))
def test_each_token_may_what_its_scope_says_and_fills_in_no_forms(name: str, tokens: list[Asker]) -> None:
    for asker in tokens:
        path = path_of(name, asker)
        for call in WHO[name].calls:
            answer = ask(asker, call, path)

            if call.public or (asker.may(call) and (call.method == "GET" or not is_page(path))):
                assert answer.status_code == call.answer, (asker.name, call.method)
            else:
                says(answer, 403)


@pytest.mark.parametrize("narrowed", [{"team": "search"}, {"project": "rag"}])
@pytest.mark.parametrize("name", sorted(WHO))
def test_a_narrowed_token_is_kept_from_what_is_the_whole_organization_s(
    name: str, narrowed: dict[str, str], organization: Organization
) -> None:
    of_a_part = {A.SEE_OWN_TEAM, A.SEE_REQUESTS, A.SEE_PROVIDERS, A.INGEST}
    everything = [Scope.INGEST, Scope.READ, Scope.ADMIN]
    token, secret = services.issue_token(organization_id=organization.id, name="part", scopes=everything, **narrowed)
    asker = Asker(organization, "part", frozenset(), Client(), token_id=token.id, secret=secret)
    path = path_of(name, asker)
    kept_from = [call for call in WHO[name].calls if call.rights and not of_a_part & set(call.rights)]

    for call in kept_from:
        says(ask(asker, call, path), 403)


@pytest.mark.parametrize("name", sorted(WHO))
def test_a_person_without_an_organization_sees_nothing(
    name: str, stranger: Asker, organization: Organization, person: Person
) -> None:
    stranger.client.force_login(person)
    path = path_of(name, stranger)

    for call in WHO[name].calls:
        answer = ask(stranger, call, path)

        if call.public:
            assert answer.status_code == call.answer
        elif is_page(path):
            says(answer, 403)
            assert "You belong to no organization" in answer.content.decode()
        else:
            assert answer.status_code in {401, 403}


@pytest.mark.parametrize(
    "name", [name for name, address in WHO.items() if set(address.ids) & set(IDS_OF_ORGANIZATIONS)]
)
def test_what_belongs_to_another_organization_is_not_there(
    name: str, people: list[Asker], tokens: list[Asker], other_organization: Organization
) -> None:
    theirs = path_of(name, Asker(other_organization, "theirs", frozenset(), Client()))

    for asker in (*people, *tokens):
        for call in WHO[name].calls:
            if asker.may(call) and (asker.person or call.method == "GET" or not is_page(theirs)):
                says(ask(asker, call, theirs), 404)
            else:
                says(ask(asker, call, theirs), 403)


@pytest.mark.parametrize("name", [name for name, address in WHO.items() if "batch_id" in address.ids])
def test_an_id_that_nobody_has_is_not_there(name: str, people: list[Asker]) -> None:
    owner = people[0]

    for call in WHO[name].calls:
        says(ask(owner, call, path_of(name, owner, batch_id=uuid4())), 404)


@pytest.mark.parametrize("name", sorted(WHO))
def test_an_address_takes_the_methods_said_and_no_others(name: str, people: list[Asker], tokens: list[Asker]) -> None:
    owner, admin_token = people[0], tokens[-1]
    taken = {call.method for call in WHO[name].calls}
    tokens_only = any(call.tokens_only for call in WHO[name].calls)
    asker = admin_token if tokens_only else owner
    path = path_of(name, asker)
    # health checks answer whatever asks
    others = [] if name in {"healthz", "readyz"} else [method for method in METHODS if method not in taken]

    answers = {method: ask(asker, Call(method, (), 405), path).status_code for method in others}

    assert answers == dict.fromkeys(others, 405)


def test_an_unknown_address_is_a_document_for_programs_and_a_page_for_people(
    people: list[Asker], stranger: Asker
) -> None:
    for asker in (people[0], stranger):
        says(asker.client.get(NOT_FOUND), 404)
        says(asker.client.post(NOT_FOUND, "{}", content_type="application/json"), 404)
        says(asker.client.get("/otlp/v1/profiles"), 404)
        says(asker.client.get("/nothing-of-this-name/"), 404)


def test_of_the_sign_in_addresses_only_these_are_for_strangers(stranger: Asker) -> None:
    routes = addresses("accounts/")
    open_names = set()

    for name, route in routes.items():
        if "<" in route:
            continue
        answer = stranger.client.get(f"/{route}")
        if answer.status_code == 200:
            open_names.add(name)

    assert len(routes) > 5
    assert open_names == ACCOUNTS_OPEN_TO_STRANGERS
    assert "closed" in stranger.client.get("/accounts/signup/").content.decode().lower()
