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
    *("on", "at", "find", "made", "year", "hours", "id", "kind", "table", "from_set", "to_set", "all", "condition"),
    *("state", "reason", "status", "limit", "cursor", "offset", "job", "corrects", "name", "dataset", "action", "teem"),
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
SEEN = sorted(name for name, address in WHO.items() if any(call.method == "GET" for call in address.calls))


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

    @settings(max_examples=250, suppress_health_check=list(HealthCheck))
    @given(path=st.sampled_from(paths), asked=st.lists(st.tuples(NAMED, VALUED), max_size=5))
    def holds(path: str, asked: list[tuple[str, str]]) -> None:
        status = answers(owner, path, asked)
        seen.add(status)
        assert status < 500 or path == "/readyz"  # whose worker is not there in tests

    holds()
    assert 200 in seen


@pytest.mark.parametrize("at", range(6))
def test_each_filter_with_each_nonsense_is_answered_on_every_page(owner: Asker, at: int) -> None:
    """Every sixth value, as that of all names together and of each option by itself on the pages of figures."""
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
    for value in VALUES[at::6]:
        for name in SEEN:
            path = path_of(name, owner)
            status = answers(owner, path, [(key, value) for key in NAMES if key != "org"])
            assert status < 500 or path == "/readyz", (path, value)
        for number, option in enumerate((*OPTIONS, *PAGES_ONLY, "sort", "after", "page", "format", "tab", "impact")):
            page = pages[(number + at) % len(pages)]
            assert answers(owner, page, [(option, value)]) < 500, (page, option, value)
