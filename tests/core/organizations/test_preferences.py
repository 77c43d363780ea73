"""What people choose for themselves goes with them: language, colours, density; never to anybody else."""

from __future__ import annotations

import pytest
from django.test import Client

from core.organizations import services
from core.organizations.models import Organization, Person
from core.organizations.preferences import save_preferences

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"


@pytest.fixture
def people(organization: Organization) -> list[Person]:
    found = []
    for name in ("ada", "bob"):
        person = Person.objects.create_user(f"{name}@example.org", PASSWORD)
        services.add_member(organization_id=organization.id, person=person, role="member")
        found.append(person)
    return found


def signed_in(person: Person) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.post("/accounts/login/", {"login": person.email, "password": PASSWORD})
    return client


def page(client: Client) -> str:
    return client.get("/settings/").content.decode()


def test_a_choice_is_there_at_once_and_on_the_next_machine(people: list[Person]) -> None:
    here = signed_in(people[0])
    assert '<html lang="en">' in page(here)

    answer = here.post("/settings/own/", {"language": "de", "theme": "dark", "density": "compact"}, follow=True)
    other_machine = signed_in(people[0])

    begin = '<html lang="de" data-theme="dark" data-usual-theme="dark" data-density="compact">'
    assert begin in answer.content.decode()
    assert "Ihre eigenen Einstellungen" in answer.content.decode()
    assert begin in page(here)
    assert begin in page(other_machine)
    assert '<html lang="en">' in page(signed_in(people[1]))


def test_what_was_chosen_on_a_machine_goes_before_and_taking_back_is_as_before(people: list[Person]) -> None:
    save_preferences(person_id=people[0].pk, language="de")
    here = signed_in(people[0])
    here.post("/language/", {"language": "en"})
    chosen_here = page(here)

    here.post("/settings/own/", {"language": "", "theme": "", "density": ""})

    assert '<html lang="en">' in chosen_here
    assert '<html lang="en">' in page(here)
    people[0].refresh_from_db()
    assert people[0].preferences == {}


@pytest.mark.parametrize("wrong", [{"language": "xx"}, {"theme": "<script>"}, {"density": "huge"}])
def test_other_values_are_refused(people: list[Person], wrong: dict[str, str]) -> None:
    answer = signed_in(people[0]).post("/settings/own/", wrong)

    assert answer.status_code == 400
    with pytest.raises(ValueError, match="none of"):
        save_preferences(person_id=people[0].pk, **wrong)
    people[0].refresh_from_db()
    assert people[0].preferences == {}
