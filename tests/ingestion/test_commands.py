"""import_usage and quarantine, as an operator types them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.ledger.services import ensure_source, update_source
from core.organizations.tenancy import organization_scope
from ingestion import selectors
from tests.ingestion.conftest import make_record

pytestmark = [pytest.mark.usefixtures("committed_db", "woken", "organization")]


def run(*arguments: str, **options: Any) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def counts_in(text: str) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in text.splitlines())}


def jsonl(path: Path, *records: dict[str, Any]) -> str:
    path.write_text("\n".join(json.dumps(record) for record in records))
    return str(path)


def test_files_of_one_call_are_one_delivery_and_end_with_five_counts(tmp_path: Path, organization: Any) -> None:
    jsonl(tmp_path / "a.jsonl", make_record("a"), make_record("b"))
    jsonl(tmp_path / "b.jsonl", make_record("c"), make_record("d", model=7))

    said = run("import_usage", "activity", str(tmp_path / "*.jsonl"), "--organization", "northwind")

    assert counts_in(said) == {"received": 4, "written": 3, "duplicate": 0, "quarantined": 1, "outside": 0}
    with organization_scope(organization.id):
        batch = selectors.batches(organization.id).get()
        row = selectors.rejected_rows(batch).get()
    assert batch.filename == "a.jsonl, b.jsonl"
    assert (row.file, row.row) == (2, 2)


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", make_record("a"))

    dry = run("import_usage", "activity", path, "--organization", "northwind", "--dry-run")
    real = run("import_usage", "activity", path, "--organization", "northwind")

    assert counts_in(dry)["written"] == counts_in(real)["written"] == 1


def test_log_lines_are_shown_only_when_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = jsonl(tmp_path / "a.jsonl", make_record("a"))
    words = ("import_usage", "activity", path, "--organization", "northwind")

    with logging_as_in_production():
        run(*words)
        assert caplog.records == []

        run(*words, verbosity=2)
        assert [record.levelname for record in caplog.records] == ["INFO"]


@contextmanager
def logging_as_in_production() -> Iterator[None]:
    """Log at the level of production."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.setLevel(level)


def test_json_gives_the_batch_object(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", make_record("a"))

    batch = json.loads(run("import_usage", "activity", path, "--organization", "northwind", "--format", "json"))

    assert (batch["source"], batch["state"], batch["counts"]["written"]) == ("activity", "done", 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["activity", "/nowhere/*.jsonl", "--organization", "northwind"], "no such file"),
        (["activity", "/dev/null", "--organization", "nobody"], "no organization 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run("import_usage", *arguments)


def test_an_unreadable_file_fails_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "bill.csv").write_text("a,b\n1,2\n")

    with pytest.raises(CommandError, match="Nothing was imported"):
        run("import_usage", "focus", str(tmp_path / "bill.csv"), "--organization", "northwind")


def test_rows_are_replayed_once_their_cause_is_mended(tmp_path: Path, organization: Any) -> None:
    old = {"started_at": "2020-01-01T00:00:00Z", "ended_at": "2020-01-01T01:00:00Z"}
    path = jsonl(tmp_path / "a.jsonl", make_record("new"), make_record("old", **old), make_record("odd", model=7))
    run("import_usage", "activity", path, "--organization", "northwind")
    listed = json.loads(run("quarantine", "list", "--organization", "northwind", "--format", "json"))
    assert sorted(row["reason"] for row in listed) == ["bad_field", "too_old"]

    source = ensure_source(organization.id, "activity")
    update_source(organization_id=organization.id, source_id=source.id, settings={"max_age_days": 36500})
    replay = ["quarantine", "replay", "--organization", "northwind", "--reason", "too_old"]
    dry = run(*replay, "--dry-run")
    real = run(*replay)

    assert counts_in(dry) == counts_in(real)
    assert counts_in(real) == {"received": 1, "written": 1, "duplicate": 0, "quarantined": 0, "outside": 0}
    left = json.loads(run("quarantine", "list", "--organization", "northwind", "--format", "json"))
    assert [row["reason"] for row in left] == ["bad_field"]


def test_a_list_for_spreadsheets_runs_no_formula(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", make_record("=cmd()", model=7))
    run("import_usage", "activity", path, "--organization", "northwind")

    listed = run("quarantine", "list", "--organization", "northwind", "--format", "csv")

    assert "'=cmd()" in listed


def test_data_of_a_source_is_deleted_and_restored(tmp_path: Path, organization: Any) -> None:
    file = jsonl(tmp_path / "records.jsonl", make_record("a"))
    slug = organization.slug
    run("import_usage", "activity", file, "--organization", slug, "--name", "Sheets")
    today = datetime.now(UTC).date()
    words = ["source", "delete-data", "--organization", slug, "--source", "Sheets"]
    words += ["--from", str(today - timedelta(days=2)), "--to", str(today)]

    assert run(*words, "--dry-run") == "records 1\n"
    with pytest.raises(CommandError, match="Type the name"):
        run(*words, "--reason", "x")
    done = json.loads(run(*words, "--reason", "a test", "--confirm", "Sheets", "--format", "json"))
    listed = run("source", "list", "--organization", slug)
    restore = ["source", "restore-data", "--organization", slug, "--deletion", str(done["id"])]

    assert (done["state"], done["records"]) == ("deleted", 1)
    assert f"deletion {done['id']}:" in listed
    assert "restored 1" in run(*restore)
    with pytest.raises(CommandError, match="nothing to take back"):
        run(*restore)
