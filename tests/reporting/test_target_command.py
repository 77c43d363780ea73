"""manage.py target: a target of a file is proposed, approved by another person, and listed with how it stands."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from core.organizations import services
from core.organizations.models import Person, Role
from core.organizations.tenancy import organization_scope
from reporting.models import TargetVersion

pytestmark = pytest.mark.usefixtures("committed_db")

CEILING = {"path": "ceiling", "ceiling": 5000, "starts_on": "2026-01-01"}


@pytest.fixture
def run(organization, tmp_path):
    """Call the command for a file; Ada and Bea are sustainability leads, Cid buys."""
    for name, role in (
        ("ada", Role.SUSTAINABILITY_LEAD),
        ("bea", Role.SUSTAINABILITY_LEAD),
        ("cid", Role.PROCUREMENT),
    ):
        person = Person.objects.create_user(f"{name}@example.org", "x", name=name)
        services.add_member(organization_id=organization.id, person=person, role=role)
    file = tmp_path / "target.json"
    file.write_text(json.dumps(CEILING))

    def called(**options):
        out = io.StringIO()
        call_command("target", organization=organization.slug, name="Cap", definition=str(file), stdout=out, **options)
        return out.getvalue()

    return called


def test_it_is_proposed_by_one_and_approved_by_another(run, organization):
    said = run(proposed_by="ada@example.org", approved_by="bea@example.org")

    assert "approved" in said
    assert "not_assessable" in said
    with organization_scope(organization.id):
        version = TargetVersion.objects.get()
        assert (str(version.created_by), str(version.decided_by), version.single_reviewer) == ("ada", "bea", False)


@pytest.mark.parametrize(
    ("approver", "why"),
    [
        ("ada@example.org", "another person"),
        ("cid@example.org", "no role"),
        ("nobody@example.org", "nobody of this organization"),
    ],
)
def test_who_may_not_approve_is_refused(run, approver, why):
    with pytest.raises(CommandError, match=why):
        run(proposed_by="ada@example.org", approved_by=approver)
