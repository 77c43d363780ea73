"""The files of a period: of an approved one the same bytes for ever, of any other a draft that says so."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from core.organizations import services as people
from tests.closing import close, opened, somebody, two_leads
from tests.deliver import deliver, metered

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]


@pytest.fixture
def leads(organization):
    return two_leads(organization)


def disclosed(organization, folder, period="2026-Q3", formats="all", **options):
    call_command("disclose", organization=organization.slug, period=period, format=formats, output=folder, **options)
    root = folder / period
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_locked_period_renders_the_same_bytes_in_any_language_and_after_more_has_come(
    organization, leads, tmp_path, capsys
):
    inventory = close(organization, leads)
    first = disclosed(organization, tmp_path / "first")
    deliver(organization, [metered("late", 100.0)])
    with translation.override("de"):
        second = disclosed(organization, tmp_path / "second")

    assert first == second
    assert first["inventory.json"] == inventory.document.encode() + b"\n"
    assert set(json.loads(first["refused.json"])) >= {"sci", "evidence"}
    assert first["report.pdf"].startswith(b"%PDF")
    assert first["report.xlsx"].startswith(b"PK")
    for name in ("csv/summary.csv", "report.html"):
        text = first[name].decode()
        assert "a part of the entity" in text
        assert "Draft" not in text
        assert inventory.sha256 in text
    # 0.329 t of the meter, whatever the language
    assert b"scope2_location,0.329,t CO2e" in first["csv/summary.csv"]
    capsys.readouterr()


def test_files_of_who_reviews_alone_say_so(organization, tmp_path):
    deliver(organization, [metered("own", 1000.0)])
    alone = somebody(organization, "ada")
    people.declare_single_reviewer(organization_id=organization.id)
    close(organization, (alone, alone))

    files = disclosed(organization, tmp_path)

    assert b"Not independently reviewed" in files["csv/summary.csv"]
    assert b"Not independently reviewed" in files["report.html"]
    assert json.loads(files["inventory.json"])["evidence"]["single_reviewer"] is True


def test_an_open_period_is_not_disclosed_but_as_a_draft(organization, leads, tmp_path):
    opened(organization, leads[0])

    with pytest.raises(CommandError, match="soft close and has no approved inventory") as error:
        disclosed(organization, tmp_path)
    assert error.value.returncode == 1
    files = disclosed(organization, tmp_path, draft=True)
    assert json.loads(files["inventory.json"])["status"] == "draft"
    assert b"Draft, not approved" in files["report.html"]
    close(organization, leads)
    assert b"Draft, not approved" in disclosed(organization, tmp_path, draft=True)["report.html"]


def test_a_format_that_is_not_written_yet_is_named(organization, leads, tmp_path):
    close(organization, leads)

    with pytest.raises(CommandError, match="sci: This release does not write it yet") as error:
        disclosed(organization, tmp_path, formats="csv,sci")
    assert error.value.returncode == 1
