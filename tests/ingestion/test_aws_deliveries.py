"""AWS reports and statements through the doors: months that are restated, in whatever order their rows and versions come."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.ledger.selectors import source_by_name
from core.ledger.services import ensure_source, update_source
from core.organizations import services as organizations
from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope
from ingestion import payloads, services
from ingestion.models import Batch
from tests.ingestion.sources.reports import BEDROCK, MACHINE, STORAGE, report
from tests.ingestion.sources.test_aws_carbon import OLDER, STATED, export

pytestmark = [pytest.mark.usefixtures("committed_db", "woken"), pytest.mark.slow]

NUMBERS = itertools.count()


def send(organization: Organization, kind: str, *files: bytes) -> None:
    """Upload some files as one delivery and import it."""
    _, token = organizations.issue_token(organization_id=organization.id, name=f"t{next(NUMBERS)}", scopes=["ingest"])
    uploads = [SimpleUploadedFile(f"part-{number}.csv", content) for number, content in enumerate(files)]
    form = {"file": uploads, "source": kind}
    answer = Client().post("/api/v1/imports", form, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 202, answer.content
    batch = drained(organization, answer.json()["batch"])
    if batch.held:
        services.confirm_held(organization.id, batch.id, why="it is right")
        batch = drained(organization, batch.id)
    assert (batch.state, batch.quarantined) == ("done", 0), batch.log


def drained(organization: Organization, batch_id: Any) -> Batch:
    """Import what waits; give one batch."""
    services.drain_inbox(organization.id)
    with organization_scope(organization.id):
        return Batch.objects.get(organization_id=organization.id, id=batch_id)


def cells(organization: Organization) -> list[tuple[Any, ...]]:
    """List what stands in the cells, by what the series are about."""
    query = """
        select s.account, s.model, s.instance_type, s.region, s.team, s.labels::text, c.hour,
               sum(c.input_tokens), sum(c.output_tokens), sum(c.instance_nh), sum(c.nano_cost)
        from ledger_cell c join ledger_series s on s.organization_id = c.organization_id and s.id = c.series_id
        where c.organization_id = %s
        group by 1, 2, 3, 4, 5, 6, 7
        having (sum(c.input_tokens), sum(c.output_tokens), sum(c.instance_nh), sum(c.nano_cost)) <> (0, 0, 0, 0)
        order by 1, 2, 3, 4, 5, 6, 7
    """
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(query, [organization.id])
        return cursor.fetchall()


# --- three restatements -----------------------------------------------------------------------------------------------

KINDS = (
    BEDROCK,
    {**BEDROCK, "line_item_usage_type": "EUW1-NovaPro-output-tokens"},
    MACHINE,
    STORAGE,
    {
        **MACHINE,
        "line_item_line_item_type": "Credit",
        "line_item_unblended_cost": "-1.5",
        "line_item_usage_amount": "0",
    },
)


def lines() -> st.SearchStrategy[dict[str, str]]:
    """Line items of a few days and accounts; several may have one key."""

    def made(kind: int, day: int, account: str, thousandths: int) -> dict[str, str]:
        row = {
            **KINDS[kind],
            "line_item_usage_start_date": f"2026-10-{day:02} 00:00:00",
            "line_item_usage_end_date": f"2026-10-{day + 1:02} 00:00:00",
            "line_item_usage_account_id": account,
        }
        money = "line_item_unblended_cost" if kind == len(KINDS) - 1 else "line_item_usage_amount"
        return {**row, money: f"{-thousandths if kind == len(KINDS) - 1 else thousandths}e-3"}

    return st.builds(
        made, st.integers(0, len(KINDS) - 1), st.integers(1, 4), st.sampled_from("12"), st.integers(1, 9999)
    )


@st.composite
def months(draw: st.DrawFn) -> list[tuple[list[dict[str, str]], list[list[dict[str, str]]]]]:
    """Three deliveries of one month: each with its rows in order, and the same shuffled and cut into files."""
    found = []
    for _ in range(3):
        rows = draw(st.lists(lines(), min_size=1, max_size=8))
        shuffled = draw(st.permutations(rows))
        cut = draw(st.integers(0, len(rows)))
        found.append((rows, [part for part in (shuffled[:cut], shuffled[cut:]) if part]))
    return found


@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[phase for phase in Phase if phase is not Phase.shrink],  # each try takes seconds
)
@given(deliveries=months())
def test_restatements_in_any_order_of_rows_end_in_the_same_ledger(
    committed_db: None, deliveries: Sequence[tuple[list[dict[str, str]], list[list[dict[str, str]]]]]
) -> None:
    tidy, mixed = (
        organizations.create_organization(slug=f"{name}-{next(NUMBERS)}", name=name) for name in ("tidy", "mixed")
    )

    for rows, parts in deliveries:
        send(tidy, "aws_cur2", report(*rows).getvalue())
        send(mixed, "aws_cur2", *(report(*part).getvalue() for part in parts))
    send(mixed, "aws_cur2", *(report(*part).getvalue() for part in deliveries[-1][1]))

    assert cells(mixed) == cells(tidy)


def test_files_of_one_delivery_speak_for_all_days_and_accounts_of_it(organization: Organization) -> None:
    def row(account: str, day: int) -> dict[str, str]:
        times = {
            f"line_item_usage_{end}_date": f"2026-10-{day + more:02} 00:00:00"
            for end, more in (("start", 0), ("end", 1))
        }
        return {**BEDROCK, **times, "line_item_usage_account_id": account}

    send(organization, "aws_cur2", report(row("1", 2), row("1", 4), row("2", 1)).getvalue())

    send(organization, "aws_cur2", report(row("2", 1)).getvalue(), report(row("1", 4)).getvalue())

    assert [(account, hour.day) for account, *_, hour, _in, _out, _nh, _cost in cells(organization)] == [
        ("1", 4),
        ("2", 1),
    ]  # the second delivery runs from day 1 to day 5, so account 1 used nothing on day 2


# --- versions of the carbon model -------------------------------------------------------------------------------------


def kg(organization: Organization) -> dict[str, float]:
    """Sum what is stated by basis."""
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(
            "select s.reported_basis, sum(r.reported_kg_co2e) from ledger_record r join ledger_series s"
            " on s.organization_id = r.organization_id and s.id = r.series_id where r.organization_id = %s group by 1",
            [organization.id],
        )
        return dict(cursor.fetchall())


def records_of_version(organization: Organization, version: str) -> int:
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from ledger_record r join ledger_series s on s.organization_id = r.organization_id"
            " and s.id = r.series_id where r.organization_id = %s and s.labels ->> 'model_version' = %s"
            " and s.reported_basis = 'location'",
            [organization.id, version],
        )
        return int(cursor.fetchone()[0])


NEWER: Mapping[str, str] = {**STATED, "model_version": "v4.0.0", "total_lbm_emissions_value": "0.006"}


@pytest.mark.parametrize("order", list(itertools.permutations([OLDER, STATED, NEWER])))
def test_versions_of_a_month_may_come_in_any_order(
    order: Sequence[Mapping[str, str]], organization: Organization
) -> None:
    for row in order:
        send(organization, "aws_carbon", export(row).getvalue())
        send(organization, "aws_carbon", export(row).getvalue())

    # 0.006 t of the newest version are 6 kg; what the older ones stated is in the ledger and taken back.
    assert kg(organization) == pytest.approx({"location": 6.0, "market": 0.0})
    assert records_of_version(organization, "v2.0.0") == 2


def test_the_newest_version_may_be_in_another_file_of_the_delivery(organization: Organization) -> None:
    send(organization, "aws_carbon", export(OLDER).getvalue(), export(STATED).getvalue())

    assert kg(organization) == pytest.approx({"location": 4.0, "market": 0.0})


def test_a_service_that_vanishes_from_a_month_is_taken_back(organization: Organization) -> None:
    other = {**STATED, "product_code": "AmazonS3"}
    send(organization, "aws_carbon", export(STATED, other).getvalue())
    send(organization, "aws_carbon", export(STATED).getvalue())

    assert kg(organization)["location"] == pytest.approx(4.0)


# --- people and rules -------------------------------------------------------------------------------------------------


def test_nobody_is_stored_of_a_report(organization: Organization) -> None:
    personal = {
        **BEDROCK,
        "line_item_iam_principal": "arn:aws:iam::1:user/jane",
        "resource_tags": '{"user_email": "jane@example.org"}',
    }
    send(organization, "aws_cur2", report(personal).getvalue())

    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select location from ingestion_payload where organization_id = %s", [organization.id])
        (location,) = cursor.fetchone()
        cursor.execute("select labels::text from ledger_series where organization_id = %s", [organization.id])
        assert "jane" not in str(cursor.fetchall())
    with payloads.open_stored(location) as stream:
        kept = stream.read()
    assert b"NovaPro" in kept
    assert b"jane" not in kept


def command(*words: str) -> str:
    out = StringIO()
    call_command("service_rules", *words, "--organization", "northwind", stdout=out)
    return out.getvalue()


def test_rules_are_set_shown_and_cleared_on_the_command_line(organization: Organization, tmp_path: Path) -> None:
    table = tmp_path / "rules.csv"
    table.write_text("rule,service,class,measure,hosting\nvectors,amazons3,ai,cost,api\n")

    assert command("set", "aws_cur2", str(table)).startswith("1 rules of the source's own.")
    send(organization, "aws_cur2", report(STORAGE).getvalue())
    shown = command("show", "aws_cur2").splitlines()
    assert shown[1] == "vectors,,amazons3,,,ai,cost,,api,,"
    assert shown[2].startswith("search-index,")
    assert [row[-1] for row in cells(organization)] == [500_000_000]

    command("clear", "aws_cur2")
    source = source_by_name(organization.id, "aws_cur2")
    assert source is not None
    assert source.settings == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rule,service,class\nx,(,outside\n", "rule 1 .x., column 'service': it is no pattern"),
        ("service,class\nx,outside\n", "no header with the columns rule"),
        ("rule,service,class\nx,y,outside,z\n", "more cells than the header"),
        ('[{"rule": ', "is no JSON"),
        ('{"rule": "x"}', "must hold a list"),
    ],
)
def test_a_file_of_bad_rules_changes_nothing(
    text: str, message: str, organization: Organization, tmp_path: Path
) -> None:
    path = tmp_path / "rules"
    path.write_text(text)

    with pytest.raises(CommandError, match=f"Nothing was changed: .*{message}"):
        command("set", "aws_cur2", str(path))


def test_a_setting_of_no_use_fails_the_delivery_with_its_sentence(organization: Organization, token: str) -> None:
    source = ensure_source(organization.id, "aws_cur2")
    rule = json.loads('{"rule": "x", "service": "s3", "class": "ours"}')
    update_source(organization_id=organization.id, source_id=source.id, settings={"service_rules": [rule]})
    form = {"file": SimpleUploadedFile("cur.csv", report(BEDROCK).getvalue()), "source": "aws_cur2"}
    answer = Client().post("/api/v1/imports", form, headers={"Authorization": f"Bearer {token}"})

    batch = drained(organization, answer.json()["batch"])
    assert batch.state == "failed"
    assert "column 'class': 'ours' is none of ai, supporting, outside" in batch.log[-1]
