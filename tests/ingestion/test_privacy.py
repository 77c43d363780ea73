"""
People are not measured: what is planted into the samples of every source is nowhere afterwards, in no table, file or log.

Covers every source of the registry without a line here: its sample is found by the `expected.json` that names it, else by
what the registry recognizes among the payloads.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis
import xlsxwriter
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from psycopg import sql

from core.organizations.models import Organization
from ingestion import services
from ingestion.payloads import unpack
from ingestion.sources import registry
from ingestion.sources.activity_sheets import TEMPLATE_COLUMNS
from ingestion.sources.base import UnreadablePayload
from ingestion.sources.byte_streams import GZIP, ZSTANDARD, unpacked
from tests.ingestion.conftest import make_record
from tests.ingestion.planting import SIGN, mail, plant_file, tags
from tests.ingestion.planting_prose import IDENTIFIERS, OF_A_LIST, Planter, prose
from tests.ingestion.test_samples import OWN, Sender
from tests.servers import Servers

LARGEST = 200_000_000
pytestmark = [pytest.mark.usefixtures("committed_db", "woken"), pytest.mark.slow]


@pytest.fixture(autouse=True)
def _nothing_stored_before(servers: Servers) -> None:
    """Begin without the files and messages of other tests: what one of them left must not fail the next."""
    for path in Path(settings.PAYLOAD_URL.removeprefix("file://")).rglob("*"):
        if path.is_file():
            path.unlink()
    broker = redis.Redis.from_url(servers.redis_url)
    broker.flushdb()
    broker.close()


def samples() -> list[Any]:
    """List for each source the deliveries of its samples: one for every set of files that some entry names."""
    entries = [
        (path.parent, entry)
        for path in sorted(OWN.glob("*/expected.json"))
        for entry in json.loads(path.read_text())
        if entry.get("kind", "") == ""
    ]
    found = []
    for source in registry.SOURCES:
        of_source: dict[tuple[Path, ...], dict[str, Any]] = {}
        for folder, entry in entries:
            if entry["source"] == source:
                files = tuple(dict.fromkeys(folder / name for name in entry["files"]))
                of_source.setdefault(files, entry.get("setting", {}))
        if not of_source:
            of_source = {(path,): {} for path in recognized(source)}
        for number, (files, setting) in enumerate(of_source.items(), 1):
            found.append(pytest.param(source, files, setting, id=f"{source}-{number}"))
    return found


def recognized(source: str) -> Iterator[Path]:
    """Find the payloads that the registry takes for a source."""
    for path in sorted((OWN / source).glob("*")):
        if path.suffix not in (".md", ".py"):
            with path.open("rb") as stream:
                kind = registry.detect(registry.head_of(stream), path.name)
            if kind is not None and kind[0] == source:
                yield path


def test_every_source_has_a_sample_to_plant_into() -> None:
    assert {param.values[0] for param in samples()} == set(registry.SOURCES)


@pytest.mark.parametrize(("source", "files", "setting"), samples())
def test_nothing_planted_is_kept(
    source: str,
    files: tuple[Path, ...],
    setting: dict[str, Any],
    organization: Organization,
    servers: Servers,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    sender = Sender.of(organization, {"source": source, "setting": setting})
    planted = [plant_file(path, tmp_path) for path in files]

    for path in planted:
        sender.deliver(path)
    services.drain_inbox(organization.id)

    counts = sender.counts()
    assert counts["received"] > 0
    assert_nowhere(servers, caplog.text, "".join(capfd.readouterr()))


@pytest.mark.parametrize("broken", ["cut", "bytes", "types"])
@pytest.mark.parametrize(("source", "files", "setting"), samples())
def test_nothing_planted_is_kept_of_a_broken_payload(
    source: str,
    files: tuple[Path, ...],
    setting: dict[str, Any],
    broken: str,
    organization: Organization,
    servers: Servers,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    sender = Sender.of(organization, {"source": source, "setting": setting})
    path = plant_file(files[0], tmp_path)
    content = path.read_bytes()
    if broken == "cut":
        content = content[: len(content) * 3 // 5]
    elif broken == "bytes":
        content = content + b"\n" + f'{{"prompt": "{SIGN}'.encode() + b"\xff\xfe"
    else:  # numbers become texts that quarantine would show
        content = content.replace(b": 1", b': "' + mail().encode() + b" 1")
    form = {"file": SimpleUploadedFile(path.name, content), "source": source}

    answer = sender.client.post("/api/v1/imports", form, headers={"Authorization": f"Bearer {sender.token}"})
    services.drain_inbox(organization.id)

    assert answer.status_code in (202, 400, 422), answer.content
    assert SIGN not in answer.content.decode()
    assert_nowhere(servers, caplog.text, "".join(capfd.readouterr()))


# --- prose in fields that hold a word or an id -------------------------------------------------------------------------


def prose_samples() -> list[Any]:
    """List for each source the fields of a list of words, then those of ids, with one of its deliveries that has some."""
    found = []
    for kind, table in (("words", OF_A_LIST), ("ids", IDENTIFIERS)):
        for source, fields in table.items():
            for number, sample in enumerate((each for each in samples() if each.values[0] == source), 1):
                found.append(pytest.param(*sample.values, fields, id=f"{source}-{number}-{kind}"))
    return found


def test_every_source_has_fields_that_hold_a_word() -> None:
    assert set(OF_A_LIST) == set(registry.SOURCES)


@pytest.mark.parametrize(("source", "files", "setting", "fields"), prose_samples())
def test_no_prose_is_kept_where_a_word_or_an_id_belongs(
    source: str,
    files: tuple[Path, ...],
    setting: dict[str, Any],
    fields: tuple[str, ...],
    organization: Organization,
    servers: Servers,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    planter = Planter(fields)
    planted = [planter.file(path, tmp_path) for path in files]
    if not planter.planted:
        pytest.skip("this sample has none of these fields")
    sender = Sender.of(organization, {"source": source, "setting": setting})

    for path in planted:
        sender.deliver(path)
    services.drain_inbox(organization.id)

    assert sender.counts()["received"] > 0
    assert_nowhere(servers, caplog.text, "".join(capfd.readouterr()))


# --- canonical records in their other forms ---------------------------------------------------------------------------


def rows() -> list[dict[str, Any]]:
    """Make records with planted labels; one is rejected for its tokens, one has an address for its id, four hold prose."""
    usual = {"tier": "standard", "region": "eu-west-1", "run": "night 7"}
    made = [make_record(f"r{number}", **usual) for number in range(3)] + [make_record(f"run of {mail()}", **usual)]
    made[2]["input_tokens"] = -5
    return made + [make_record(f"r9{at}", **usual) | {name: prose()} for at, name in enumerate((*usual, "model"))]


def as_csv() -> bytes:
    names = [*rows()[0], *(f"label.{key}" for key in tags())]
    lines = [",".join(names)]
    for row in rows():
        cells = [*map(str, row.values()), *tags().values()]
        lines.append(",".join('"' + cell.replace('"', '""') + '"' for cell in cells))
    return "\n".join([*lines, f"torn,{SIGN} cell"]).encode()


def as_xlsx() -> bytes:
    target = io.BytesIO()
    names = [*(name for name in TEMPLATE_COLUMNS if name in rows()[0]), *(f"label.{key}" for key in tags())]
    with xlsxwriter.Workbook(target) as workbook:
        workbook.set_properties({"author": f"{SIGN} author", "comments": mail()})
        sheet = workbook.add_worksheet("records")
        for at, name in enumerate(names):
            sheet.write(0, at, name)
        for number, row in enumerate(rows(), 1):
            for at, value in enumerate([*(row[name] for name in names if name in row), *tags().values()]):
                sheet.write(number, at, value)
        sheet.write_comment(1, 0, f"{SIGN} comment")
        workbook.add_worksheet("notes").write(0, 0, f"{SIGN} note")
    return target.getvalue()


def as_table() -> pa.Table:
    table = pa.Table.from_pylist([row | {f"label.{key}": text for key, text in tags().items()} for row in rows()])
    maps = pa.array([list(tags().items()) for _ in range(table.num_rows)], pa.map_(pa.string(), pa.string()))
    return table.append_column("labels", maps)


def as_parquet() -> bytes:
    target = io.BytesIO()
    pq.write_table(as_table(), target)
    return target.getvalue()


def as_arrow() -> bytes:
    target = io.BytesIO()
    with pa.ipc.new_stream(target, as_table().schema) as writer:
        writer.write_table(as_table())
    return target.getvalue()


@pytest.mark.parametrize("form", [as_csv, as_xlsx, as_parquet, as_arrow])
def test_nothing_planted_is_kept_of_canonical_tables(form: Any, organization: Organization, servers: Servers) -> None:
    sender = Sender.of(organization, {"source": "activity"})
    name = f"records of {mail()}.{form.__name__.removeprefix('as_')}"
    upload = {"file": SimpleUploadedFile(name, form()), "source": "activity"}

    answer = sender.client.post("/api/v1/imports", upload, headers={"Authorization": f"Bearer {sender.token}"})
    services.drain_inbox(organization.id)

    assert answer.status_code == 202, answer.content
    assert sender.counts()["written"] == 6  # one was below zero, one had prose for its tier
    assert sender.counts()["quarantined"] >= 1
    assert_nowhere(servers)


def test_the_search_finds_what_was_stored(organization: Organization, servers: Servers) -> None:
    """The net has no hole: what a record may hold, and what lies packed in a payload, is found."""
    sender = Sender.of(organization, {"source": "activity"})
    body = json.dumps([make_record(f"{SIGN}-1", model=f"{SIGN}-model", labels={"kept": f"{SIGN} label"})]).encode()

    sender.post("/api/v1/activity", body, {"Content-Type": "application/json"})
    services.drain_inbox(organization.id)

    assert set(dict(places(servers))) >= {"ingestion_payload", "ledger_series", "ledger_record_text"}


# --- the search -------------------------------------------------------------------------------------------------------


def assert_nowhere(servers: Servers, *texts: str) -> None:
    """Search every table, stored file, key of the broker and given text for what was planted."""
    found = dict(places(servers))
    for number, text in enumerate(texts):
        if SIGN in text:
            found[f"output {number}"] = around(text)
    assert found == {}


def places(servers: Servers) -> Iterator[tuple[str, str]]:
    """Find planted texts in the whole database, as an administrator sees it, under PAYLOAD_URL and in the broker."""
    with psycopg.connect(servers.admin_url) as connection:
        tables = connection.execute(
            "select c.relname from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace"
        ).fetchall()
        assert len(tables) > 20
        for (table,) in tables:
            cursor = connection.execute(sql.SQL("select t.* from {} t").format(sql.Identifier(table)))
            columns = [column.name for column in cursor.description or ()]
            for row in cursor:
                text = " ".join(as_text(value, dict(zip(columns, row, strict=True))) for value in row)
                if SIGN in text:
                    yield re.sub(r"(?:_\d+)+$", "", table), around(text)
    for path in Path(settings.PAYLOAD_URL.removeprefix("file://")).rglob("*"):
        if path.is_file() and SIGN in (text := as_text(path.read_bytes())):
            yield "payload file", around(text)
    broker = redis.Redis.from_url(servers.redis_url)
    for key in broker.scan_iter(count=1000):
        kind = broker.type(key).decode()
        value = broker.get(key) if kind == "string" else broker.lrange(key, 0, -1) if kind == "list" else key
        if SIGN in str(value):
            yield f"broker {key!r}", str(value)[:200]
    broker.close()


def as_text(value: Any, row: dict[str, Any] | None = None) -> str:
    """Give what a stored value says, packed or not."""
    if isinstance(value, memoryview):
        value = bytes(value)
    if not isinstance(value, bytes):
        return json.dumps(value, default=str, ensure_ascii=False)
    encoding = (row or {}).get("encoding") or ""
    if isinstance(encoding, str) and encoding:
        value = unpack(value, encoding, LARGEST)
    if value[:2] == GZIP or value[:4] == ZSTANDARD:
        try:
            value = unpacked(value)
        except UnreadablePayload:  # cut on purpose by a test
            return value.decode("latin-1")
    if value[:4] == b"PAR1" and value[-4:] == b"PAR1":
        return str(pq.read_table(io.BytesIO(value)).to_pylist())
    if value[:4] == b"PK\x03\x04" and zipfile.is_zipfile(io.BytesIO(value)):
        with zipfile.ZipFile(io.BytesIO(value)) as archive:
            return " ".join(archive.read(name).decode("latin-1") for name in archive.namelist())
    return value.decode("latin-1")


def around(text: str) -> str:
    """Give the place of the first find."""
    at = text.index(SIGN)
    return text[max(at - 120, 0) : at + 60]
