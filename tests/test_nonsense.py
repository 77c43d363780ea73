"""Nonsense in the query string of any address is a page with a notice, a refusal or nothing there: never a failure."""

from __future__ import annotations

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.accounting.figures import FILTERS
from core.organizations import services
from core.organizations.models import Organization, Person, Role
from core.organizations.policy import ALLOWED
from reporting.query import OPTIONS, PAGE_KEYS, PAGES_ONLY
from tests.askers import Asker
from tests.deliver import deliver, metered
from tests.test_every_address import WHO, path_of

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

OTHERS = (
    *(
        "add",
        "all",
        "at",
        "batch",
        "before",
        "condition",
        "correct",
        "corrects",
        "day",
        "find",
        "hours",
        "id",
        "impact",
    ),
    *("kind", "limit", "made", "on", "reason", "replaced", "use", "wait", "year", "status", "cursor", "teem", "person"),
)
NAMES = (*OPTIONS, *PAGES_ONLY, *PAGE_KEYS, *FILTERS, *OTHERS)
VALUES = (
    *(
        "",
        "0",
        "-1",
        "1e308",
        "NaN",
        "99999999999999999999",
        "\0",
        "\ud800",
        "%",
        "%00",
        "'",
        '"',
        "\\",
        "../../etc/passwd",
    ),
    *(
        "<script>alert(1)</script>",
        "=cmd|' /C calc'!A0",
        "2026-13-45",
        "0000-00-00",
        "9999-12-31",
        "2026-02-30",
        "9998",
    ),
    *("1990-01-01", "2200-12-31", "2026-Q5", "FY0001", "FY9999-Q4", "last-0d", "last-9999d", "last--1d", "none", "all"),
    *(
        "null",
        "true",
        "[]",
        "{}",
        "a,b",
        ",",
        "team",
        "-kg",
        "csv",
        "json",
        "hour",
        "day",
        "2026",
        "٣",
        "é" * 300,
        "x" * 5000,
    ),
    *(
        "2026-Q3",
        "as_of",
        "//example.org",
        "https://example.org/",
        "/teams/",
        "previous",
        "year",
        "market",
        "disclosed",
    ),
)
NAMED = st.sampled_from(NAMES) | st.text(max_size=12)
VALUED = st.sampled_from(VALUES) | st.text(max_size=40)
REFUSING = ("readyz", "codecarbon_other")  # 503 without a worker, 501 on purpose: whatever they are asked
SEEN = sorted(
    name
    for name, address in WHO.items()
    if name not in REFUSING and any(call.method == "GET" and call.answer < 500 for call in address.calls)
)


@pytest.fixture
def owner(client: Client, organization: Organization) -> Asker:
    """Somebody who may see every page, over a few records."""
    deliver(
        organization, [metered("a", 1000.0, team="search", model="atlas", run="r/1", requests=3), metered("b", 5.0)]
    )
    person = Person.objects.create_user("owner@example.org")
    services.add_member(organization_id=organization.id, person=person, role=Role.OWNER)
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    return Asker(organization, "owner", ALLOWED[Role.OWNER], client, person=person)


def answers(asker: Asker, path: str, asked: list[tuple[str, str]]) -> int:
    """Ask; an exception in a view fails the test by itself."""
    data: dict[str, list[str]] = {}
    for name, value in asked:
        data.setdefault(name, []).append(value.encode("utf-8", "replace").decode())
    response = asker.client.get(
        path, {name.encode("utf-8", "replace").decode(): values for name, values in data.items()}
    )
    if response.streaming:
        b"".join(response.streaming_content)
    return response.status_code


def test_whatever_an_address_is_asked_it_answers(owner: Asker) -> None:
    paths = [path_of(name, owner) for name in SEEN]
    seen = set()

    @settings(max_examples=100, suppress_health_check=list(HealthCheck))
    @given(path=st.sampled_from(paths), asked=st.lists(st.tuples(NAMED, VALUED), max_size=5))
    def holds(path: str, asked: list[tuple[str, str]]) -> None:
        status = answers(owner, path, asked)
        seen.add(status)
        assert status < 500

    holds()
    assert 200 in seen


def test_each_nonsense_is_answered_by_each_option_in_turn(owner: Asker) -> None:
    """Each value in one option of a page of figures, and in all names at once of one address; both go around."""
    pages = (
        "/",
        "/teams/",
        "/requests/",
        "/intensity/",
        "/bookings/",
        "/explain/",
        "/filters/?on=team",
        "/quality/units/",
    )
    options = (*OPTIONS, *PAGES_ONLY, "sort", "after", "page", "format", "tab", "impact")
    for at, value in enumerate(VALUES):
        asked = [(options[at % len(options)], value)]
        assert answers(owner, pages[at % len(pages)], asked) < 500, asked
        path = path_of(SEEN[at % len(SEEN)], owner)
        assert answers(owner, path, [(name, value) for name in NAMES if name != "org"]) < 500, (path, value)
