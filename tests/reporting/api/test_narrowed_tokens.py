"""A token that is narrowed to a team writes nothing that concerns the whole organization, whatever its scope."""

from __future__ import annotations

import pytest

from core.organizations import services

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("address", ["/api/v1/instruments", "/api/v1/denominators"])
@pytest.mark.parametrize(("narrowed", "status"), [({"team": "search"}, 403), ({}, 400)])
def test_a_narrowed_admin_token_is_refused(client, organization, address, narrowed, status):
    _token, secret = services.issue_token(
        organization_id=organization.id, name="agent", scopes=["admin"], created_by=None, **narrowed
    )

    answer = client.post(
        address, [{"nonsense": 1}], content_type="application/json", headers={"Authorization": f"Bearer {secret}"}
    )

    assert answer.status_code == status, answer.content
