"""A forged filter shows nothing that its asker may not see: neither another organization's figures nor another team's."""

import json

import pytest
from django.test import Client

from core.accounting.figures import DIMS, FILTERS
from core.organizations import services
from core.organizations.models import Person, Scope, Team
from core.organizations.tenancy import organization_scope
from tests.deliver import deliver, metered

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

PERIOD = "2026-Q3"
OWN = "own"
SECRET = "zzother"  # in every name that must not be seen
PAGES = ("/", "/teams/", "/models/", "/bookings/", "/intensity/", "/explain/", "/filters/", "/filters/saved/")
FILES = (("/teams/", {}), ("/models/", {}), ("/", {"tab": "team"}), ("/", {"tab": "model"}), ("/", {"tab": "trend"}))


def named(record_id, kwh, word):
    """Make a record all of whose names hold a word."""
    dims = ("team", "project", "application", "task", "environment", "site", "provider", "region", "account", "model")
    return metered(
        record_id,
        kwh,
        **{dim: f"{word}-{dim}" for dim in dims},
        tier="batch",
        requests=5,
        techniques=[f"quantized:{word}"],
        run=f"{word}-run",
    )


def sign_in(organization, role, team=None):
    person = Person.objects.create_user(f"{role}@{organization.slug}.example")
    services.add_member(organization_id=organization.id, person=person, role=role, team=team)
    client = Client()
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def forged(word):
    """Every key of a filter with the secret name of it, alone and beside the own one, and every grouping and shape."""
    for name in FILTERS:
        yield {name: f"{word}-{name}"}
        yield {name: [f"{word}-{name}", f"{OWN}-{name}", "unattributed", "small groups", ""]}
    for name in DIMS:
        yield {"by": name}
    yield {"by": ",".join(DIMS[:6]), "team": ["own-team", f"{word}-team"], "role": ["counted", "cross_check"]}
    yield {"booking": "disclosed", "team": f"{word}-team", "basis": "market"}
    yield {"team": f"own-team,{word}-team"}
    yield {"team": ["own-team", f"{word}-team"], "cmp": "year", "grain": "day"}


def hits(client, query, kg, turn=0):
    """Ask the API, the tree, a file and a page, which take turns; give the answers that tell a secret name or its figure."""
    found = []
    asked = query if "period" in query else query | {"period": PERIOD}
    page, (file, more) = PAGES[turn % len(PAGES)], FILES[turn % len(FILES)]
    for address, wanted in (
        (page, {"on": "team"} if page == "/filters/" else {}),
        (file, more | {"format": "csv"}),
        ("/api/v1/emissions", {}),
        ("/explain/", {"format": "json"}),
    ):
        answer = client.get(address, asked | wanted)
        assert answer.status_code in {200, 302, 400, 404}, (address, query, answer.status_code)
        text = answer.content.decode()
        if kg in text:
            found.append((address, query, "figure"))
        if answer["Content-Type"].startswith(("text/csv", "application/json")) and SECRET in rows_of(text):
            found.append((address, query, "name"))
    return found


def rows_of(text):
    """Leave out what an answer repeats of the question itself."""
    if not text.startswith("{"):
        return text
    document = json.loads(text)
    kept = {name: value for name, value in document.items() if name not in {"filter", "detail", "title", "field"}}
    return json.dumps(kept)


def test_a_member_never_sees_another_team_through_any_filter(organization):
    # 777 kWh x (329.0 + 34.6) g = 282.5 kg of the other team, 1,000 kWh = 363.6 kg of the own
    assert deliver(organization, [named("a", 1000.0, OWN), named("b", 777.0, SECRET)]).counts["written"] == 2
    with organization_scope(organization.id):
        team = Team.objects.create(organization=organization, name="own-team")
    member = sign_in(organization, "member", team)
    owner = sign_in(organization, "owner")
    assert hits(owner, {"team": f"{SECRET}-team"}, "283"), "what is looked for must be seen by who may"

    for turn, query in enumerate(forged(SECRET)):
        assert hits(member, query, "283", turn) == []
    menus = [member.get("/filters/", {"on": name, "period": PERIOD, "team": f"{SECRET}-team"}) for name in FILTERS]
    assert [SECRET in menu.content.decode() for menu in menus] == [False] * len(FILTERS)
    assert "own-model" in member.get("/filters/", {"on": "model", "period": PERIOD}).content.decode()


def test_a_token_never_leaves_its_team(organization):
    assert deliver(organization, [named("a", 1000.0, OWN), named("b", 777.0, SECRET)]).counts["written"] == 2
    _token, secret = services.issue_token(
        organization_id=organization.id, name="reader", scopes=[Scope.READ], team="own-team"
    )
    client = Client(headers={"Authorization": f"Bearer {secret}"})

    for turn, query in enumerate(list(forged(SECRET))[::3]):
        assert hits(client, query, "283", turn) == []


def test_no_filter_reaches_another_organization(organization, other_organization):
    assert deliver(organization, [named("a", 1000.0, OWN)]).counts["written"] == 1
    deliver(other_organization, [named("b", 777.0, SECRET)])
    owner = sign_in(organization, "owner")
    theirs = sign_in(other_organization, "owner")
    assert hits(theirs, {}, "283"), "what is looked for must be seen by who may"

    for turn, query in enumerate(list(forged(SECRET))[1::3]):
        assert hits(owner, query, "283", turn) == []
    assert owner.get("/teams/", {"org": "contoso"}).status_code == 404
