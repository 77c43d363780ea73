"""Folders and manifests: one delivery, whole or refused by name."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope
from ingestion import deliveries, selectors
from ingestion.deliveries import IncompleteDelivery, gathered
from ingestion.uploads import Upload
from tests.ingestion.sources.reports import BEDROCK, report

OCTOBER, NOVEMBER = "BILLING_PERIOD=2026-10", "BILLING_PERIOD=2026-11"


def upload(name: str, content: bytes = b"x") -> Upload:
    return Upload(name, lambda: io.BytesIO(content))


def manifest(*files: Any, name: str = "cur-Manifest.json") -> Upload:
    return upload(name, json.dumps({"dataFiles": list(files)}).encode())


def names(delivery: deliveries.Delivery) -> list[str]:
    return [each.filename for each in delivery.uploads]


# --- what belongs together --------------------------------------------------------------------------------------------


def test_without_a_manifest_all_files_are_the_delivery() -> None:
    given = [upload("a.csv"), upload("b.csv")]

    assert gathered(given) == deliveries.Delivery(given)


def test_a_manifest_chooses_its_files_and_says_what_lies_beside() -> None:
    delivery = gathered(
        [upload("2.csv"), upload("old.csv"), manifest("s3://b/d/1.csv", "s3://b/d/2.csv"), upload("1.csv")]
    )

    assert names(delivery) == ["1.csv", "2.csv"]
    assert delivery.log == [
        "2 files as cur-Manifest.json names them, none missing.",
        "Left out, since no manifest names them: old.csv.",
    ]


def test_missing_files_are_named() -> None:
    with pytest.raises(IncompleteDelivery, match=r"names 3 files, of which 2 are missing: 2\.csv, 3\.csv\. Send all"):
        gathered([manifest("d/1.csv", "d/2.csv", "d/3.csv"), upload("1.csv")])


def test_months_of_equal_names_are_told_apart_by_their_folders() -> None:
    october, november = upload(f"/x/{OCTOBER}/1.csv"), upload(f"/x/{NOVEMBER}/1.csv")
    both = [
        manifest(f"d/{OCTOBER}/1.csv", name="a-Manifest.json"),
        manifest(f"d/{NOVEMBER}/1.csv", name="b-Manifest.json"),
    ]

    assert names(gathered([november, *both, october])) == [october.filename, november.filename]
    with pytest.raises(IncompleteDelivery, match="of which 1 are missing"):
        gathered([november, *both])
    with pytest.raises(IncompleteDelivery, match="their folders do not tell them apart"):
        gathered([*both, upload("1.csv"), upload("1.csv")])


def test_two_manifests_of_one_file_name_it_once() -> None:
    delivery = gathered(
        [manifest("d/1.csv"), manifest("s3://b/d/1.csv", name="cur-RedshiftManifest.json"), upload("1.csv")]
    )

    assert names(delivery) == ["1.csv"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"byteCount": 4}, "has 1 bytes where the manifest says 4"),
        ({"md5": hashlib.md5(b"y", usedforsecurity=False).hexdigest()}, "another md5 checksum"),
        ({"sha256": hashlib.sha256(b"y").hexdigest()}, "another sha256 checksum"),
    ],
)
def test_sizes_and_checksums_are_compared(said: dict[str, Any], message: str) -> None:
    with pytest.raises(IncompleteDelivery, match=message):
        gathered([manifest({"key": "d/1.csv", **said}), upload("1.csv")])


def test_right_checksums_are_said() -> None:
    right = {"key": "d/1.csv", "size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}

    assert gathered([manifest(right), upload("1.csv")]).log[1] == "The checksums of 1 files are those of the manifest."


def test_a_manifest_of_nothing_is_no_delivery() -> None:
    with pytest.raises(IncompleteDelivery, match="names no files"):
        gathered([manifest(), upload("1.csv")])


# --- through the doors ------------------------------------------------------------------------------------------------


def parts() -> tuple[bytes, bytes]:
    other = {
        **BEDROCK,
        "line_item_usage_start_date": "2026-10-02 09:00:00",
        "line_item_usage_end_date": "2026-10-02 10:00:00",
    }
    return report(BEDROCK).getvalue(), report(other, {**other, "line_item_usage_amount": "1"}).getvalue()


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Lay an export down as Data Exports does, with what lies beside it in a bucket."""
    data, metadata = tmp_path / "cur" / "data" / OCTOBER, tmp_path / "cur" / "metadata" / OCTOBER
    for folder in (data, metadata):
        folder.mkdir(parents=True)
    for number, content in enumerate(parts(), 1):
        (data / f"cur-0000{number}.csv").write_bytes(content)
    keys = [f"s3://bucket/cur/data/{OCTOBER}/cur-0000{number}.csv" for number in (1, 2)]
    (metadata / "cur-Manifest.json").write_text(json.dumps({"dataFiles": keys}))
    (tmp_path / "cur" / "create-table.sql").write_text("create table x")
    (data / "_SUCCESS").write_text("yes")
    return tmp_path / "cur"


def imported(path: Path, organization: Organization) -> dict[str, Any]:
    out = io.StringIO()
    call_command(
        "import_usage", "aws_cur2", str(path), "--organization", organization.slug, "--format", "json", stdout=out
    )
    return json.loads(out.getvalue())  # type: ignore[no-any-return]  # JSON


@pytest.mark.usefixtures("committed_db", "woken")
@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["", f"metadata/{OCTOBER}/cur-Manifest.json", f"data/{OCTOBER}", f"data/{OCTOBER}/*.csv"]
)
def test_import_usage_takes_a_folder_a_manifest_or_a_glob(path: str, export: Path, organization: Organization) -> None:
    batch = imported(export / path, organization)

    assert batch["counts"] == {"received": 3, "written": 3, "duplicate": 0, "quarantined": 0, "outside": 0}
    told = [line for line in batch["log"] if "cur-Manifest.json" in line]
    assert told == ([] if path.startswith("data") else ["2 files as cur-Manifest.json names them, none missing."])


@pytest.mark.usefixtures("committed_db", "woken")
@pytest.mark.slow
def test_an_export_with_a_missing_part_is_not_imported(export: Path, organization: Organization) -> None:
    (export / "data" / OCTOBER / "cur-00002.csv").unlink()

    for path in (export, export / "metadata" / OCTOBER / "cur-Manifest.json"):
        with pytest.raises(CommandError, match=r"of which 1 are missing: cur-00002\.csv"):
            imported(path, organization)
    with organization_scope(organization.id):
        assert not selectors.batches(organization.id).exists()


@pytest.mark.usefixtures("committed_db", "woken")
@pytest.mark.slow
def test_an_empty_folder_is_said(tmp_path: Path, organization: Organization) -> None:
    with pytest.raises(CommandError, match="there is no such file"):
        imported(tmp_path, organization)


@pytest.mark.usefixtures("committed_db", "woken")
@pytest.mark.slow
def test_the_door_takes_azures_manifest_beside_its_files(token: str, drained: Callable[[str], dict[str, Any]]) -> None:
    blobs = [{"blobName": f"e/{n}/part_{n}.csv", "byteCount": len(content)} for n, content in enumerate(parts())]
    files = [SimpleUploadedFile(f"part_{n}.csv", content) for n, content in enumerate(parts())]
    about = SimpleUploadedFile("manifest.json", json.dumps({"manifestVersion": "1", "blobs": blobs}).encode())

    def send(*given: Any) -> Any:
        form = {"file": list(given), "source": "aws_cur2"}
        return Client().post("/api/v1/imports", form, headers={"Authorization": f"Bearer {token}"})

    whole, part = (
        send(about, *files),
        send(*[SimpleUploadedFile(about.name, json.dumps({"blobs": blobs}).encode()), files[0]]),
    )
    assert (whole.status_code, part.status_code) == (202, 400)
    assert "of which 1 are missing: part_1.csv" in part.json()["detail"]
    assert drained(whole.json()["batch"])["counts"]["written"] == 3
