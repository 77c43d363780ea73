"""
Samples with answers: payloads go through the doors, and the ledger must reach what their `expected.json` says.

The project's own copies lie in tests/payloads; `SAMPLES_DIR` names a folder of others (docs: formats of `expected.json` are in
tests/payloads/README.md). An entry of an unknown kind or source fails with its name.
"""

from __future__ import annotations

import base64
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from core.factors.feeds import carbon_aware_sdk, carbon_intensity_gb, electricitymaps, ember, entsoe, watttime
from core.factors.feeds.slot import Slot, distinct
from core.ledger.selectors import sources
from core.ledger.services import ensure_source, update_source
from core.ledger.signals import overlaps_of
from core.organizations import services as organizations
from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope
from core.quantification.attribute import day_number
from core.quantification.signals import repeated_by_signal
from ingestion import selectors, services
from ingestion.models import COUNTS
from ingestion.sources import prometheus, prometheus_wire, registry
from ingestion.sources.base import Context, Parsed
from tests.ingestion.sources.samples import check

OWN = Path(__file__).parents[1] / "payloads"
FOLDER = Path(os.environ.get("SAMPLES_DIR", OWN))
ANY_AGE = {"max_age_days": 36500}  # recordings grow older than a source would accept

MEASURES = {
    "requests",
    "failed_requests",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "generation_s",
    "device_hours",
    "instance_hours",
    "flops",
    "seat_months",
    "energy_kwh",
    "cost",
    "reported_kg_co2e",
    "water_l",
}
OF_RECORD = {"run"}  # the other dimensions are the series'
OF_TEXT = {"trace", "request"}
KNOWN_KINDS = {"", "bad_requests", "factor_feed"}
LATER = {*registry.PARSED_ONLY, prometheus.NAME}
"""Sources whose door comes later: their samples are read to the parse level."""

pytestmark = [pytest.mark.usefixtures("committed_db", "woken"), pytest.mark.slow]


def entries() -> list[Any]:
    """List the entries of every folder of samples."""
    found = []
    for path in sorted(FOLDER.glob("**/expected.json")):
        for number, entry in enumerate(json.loads(path.read_text()), 1):
            found.append(pytest.param(path.parent, entry, id=f"{path.parent.name}-{number}-{entry.get('source')}"))
    assert found, f"{FOLDER} holds no expected.json"
    return found


@pytest.mark.parametrize(("folder", "entry"), entries())
def test_a_sample_reaches_its_expected_totals(folder: Path, entry: dict[str, Any], organization: Organization) -> None:
    assert entry.get("kind", "") in KNOWN_KINDS, f"unknown kind {entry.get('kind')!r}"
    if entry.get("kind") == "factor_feed":
        check_slots(folder, entry)
        return
    if entry["source"] in LATER:
        check_parsed(folder, entry)
        return
    assert entry["source"] in registry.SOURCES, f"unknown source {entry['source']!r}"
    sender = Sender.of(organization, entry)

    if entry.get("kind") == "bad_requests":
        for name in entry["files"]:
            sender.deliver(folder / name)
        assert sender.statuses(folder / entry["file"]) == entry["status"]
        return

    for name in entry["files"]:
        sender.deliver(folder / name)
    services.drain_inbox(organization.id)
    counts = sender.counts()
    assert counts["received"] == sum(counts[name] for name in COUNTS[1:])
    assert {name: counts[name] for name in entry["counts"]} == entry["counts"]
    for each in entry["checks"]:
        reached = ledger_sums(organization.id, each["where"], each["sum"])
        assert reached == pytest.approx(each["sum"], rel=entry["tolerance"], abs=0), each["where"]


@dataclass
class Sender:
    """Delivers the files of one entry as its source would."""

    organization: Organization
    kind: str
    token: str
    client: Client = field(default_factory=Client)
    runs: dict[str, str] = field(default_factory=dict)  # recorded run id -> ours

    @classmethod
    def of(cls, organization: Organization, entry: dict[str, Any]) -> Sender:
        """Make the source with the entry's settings, and a token."""
        source = ensure_source(organization.id, entry["source"])
        update_source(organization_id=organization.id, source_id=source.id, settings=ANY_AGE | entry.get("setting", {}))
        _, token = organizations.issue_token(organization_id=organization.id, name="sample", scopes=["ingest"])
        return cls(organization, entry["source"], token)

    def deliver(self, path: Path) -> None:
        """Send one file, or the recorded requests of one."""
        if path.suffix == ".jsonl" and (lines := recorded(path)):
            wanted = [line for line in lines if self.is_for_this_source(line["path"])]
            assert wanted, f"{path.name} has no request for {self.kind}"
            for line in wanted:
                self.replay(line)
        elif self.kind == "otlp" and path.suffix in (".pb", ".json"):
            signal = path.stem.rsplit("-", 1)[-1]
            content_type = "application/x-protobuf" if path.suffix == ".pb" else "application/json"
            answer = self.post(f"/otlp/v1/{signal}", path.read_bytes(), {"Content-Type": content_type})
            assert answer.status_code == 200, answer.content
        else:
            form = {"file": SimpleUploadedFile(path.name, path.read_bytes()), "source": self.kind}
            answer = self.client.post("/api/v1/imports", form, headers={"Authorization": f"Bearer {self.token}"})
            assert answer.status_code == 202, answer.content

    def is_for_this_source(self, path: str) -> bool:
        """Tell whether a recorded request goes to this source: CodeCarbon's totals carry its emissions again."""
        output = path.endswith("/http-output")
        return output == (self.kind == "codecarbon_http_output")

    def replay(self, line: dict[str, Any]) -> None:
        """Send one recorded request; a run is announced once, however often its file is delivered."""
        body = line.get("body")
        if line["path"].endswith("/runs"):
            recorded_id = run_id_of(line)
            if recorded_id not in self.runs:
                answer = self.send(line, body)
                assert answer.status_code == 201, answer.content
                self.runs[recorded_id] = answer.json()["id"]
            return
        answer = self.send(line, body)
        assert answer.status_code in (200, 201, 202), answer.content

    def send(self, line: dict[str, Any], body: Any, token: str | None = None) -> Any:
        """Send a recorded request to the address that it has here."""
        headers = {
            name: text for name, text in line["headers"].items() if name.lower() in ("content-type", "content-encoding")
        }
        if isinstance(body, dict) and body.get("run_id") in self.runs:
            body = body | {"run_id": self.runs[body["run_id"]]}
        raw = raw_body(line, body)
        return self.post(self.address(line["path"]), raw, headers, token)

    def address(self, path: str) -> str:
        """Give our address for a recorded one."""
        if path.endswith("/http-output"):
            return f"/codecarbon/http-output/{self.token}"
        if self.kind == "codecarbon":
            return f"/codecarbon{path}"
        if self.kind == "litellm":
            return "/api/v1/sources/litellm"
        return path if path.startswith("/otlp") else f"/otlp{path}"

    def post(self, path: str, raw: bytes, headers: dict[str, str], token: str | None = None) -> Any:
        """POST bytes with a token."""
        content_type = next((text for name, text in headers.items() if name.lower() == "content-type"), "")
        secret = self.token if token is None else token
        sent = {name: text for name, text in headers.items() if name.lower() != "content-type"}
        sent |= {"x-api-token": secret} if self.kind == "codecarbon" else {"Authorization": f"Bearer {secret}"}
        extra = {} if raw else {"CONTENT_TYPE": content_type}  # the test client leaves it out for an empty body
        return self.client.post(path, raw, content_type=content_type, headers=sent, **extra)

    def statuses(self, path: Path) -> list[int]:
        """Send every bad request of a file; give the statuses."""
        other = organizations.create_organization(slug="stranger", name="Stranger")
        _, foreign = organizations.issue_token(organization_id=other.id, name="foreign", scopes=["ingest"])
        tokens = {"VALID_TOKEN": self.token, "VALID_TOKEN_OF_OTHER_ORG": foreign}
        statuses = []
        for line in recorded(path):
            given = next(
                (text for name, text in line["headers"].items() if name.lower() in ("x-api-token", "authorization")), ""
            )
            secret = tokens.get(given.removeprefix("Bearer ").strip(), "")
            statuses.append(self.send(line, line.get("body"), secret).status_code)
        return statuses

    def counts(self) -> Counter[str]:
        """Add up the counts of all batches of the organization."""
        total: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))
        with organization_scope(self.organization.id):
            for batch in selectors.batches(self.organization.id):
                assert batch.state == "done", batch.log
                total.update(batch.counts)
        return total


def recorded(path: Path) -> list[dict[str, Any]]:
    """Read a recording of requests; [] when the file is none."""
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return lines if lines and all("method" in line and "path" in line for line in lines) else []


def raw_body(line: dict[str, Any], body: Any) -> bytes:
    """Give the bytes of a recorded body."""
    if "body_base64" in line:
        return base64.b64decode(line["body_base64"])
    if "body_text" in line:
        return str(line["body_text"]).encode()
    return json.dumps(body).encode()


def run_id_of(line: dict[str, Any]) -> str:
    """Read the id that the recorded server gave to a run."""
    answer = line["response_body"]
    answer = json.loads(answer) if isinstance(answer, str) and answer[:1] == "{" else answer
    return str(answer["id"]) if isinstance(answer, dict) else str(answer)


def ledger_sums(organization_id: int, where: dict[str, Any], wanted: dict[str, float]) -> dict[str, float]:
    """
    Sum measures over the ledger's records, corrections included.

    Where spans and metrics describe the same calls both stand in the ledger; those of the signal that counts are summed.
    """
    assert set(wanted) <= MEASURES
    conditions, values = [], []
    for column, value in where.items():
        place = f"r.{column}" if column in OF_RECORD else f"t.{column}" if column in OF_TEXT else f"s.{column}"
        conditions.append(f"{place} is not distinct from %s")
        values.append(value)
    sums = ", ".join(f"coalesce(sum(r.{name}), 0)::float8 as {name}" for name in wanted)
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            f"select s.source_id, s.labels::text, (r.started_at at time zone 'utc')::date, {sums}"
            " from ledger_record r join ledger_series s on s.organization_id = r.organization_id and s.id = r.series_id"
            " left join ledger_record_text t on t.organization_id = r.organization_id and t.series_id = r.series_id"
            " and t.started_at = r.started_at and t.key = coalesce(r.corrects, r.key)"
            f" where {' and '.join(['true', *conditions])} group by 1, 2, 3",
            values,
        )
        rows = pd.DataFrame(cursor.fetchall(), columns=["source_id", "labels", "day", *wanted])
        settings = {source.id: source.settings for source in sources(organization_id)}
        overlaps = overlaps_of(organization_id)
    rows["labels"] = rows["labels"].map(json.loads)
    rows["day"] = rows["day"].map(day_number)
    counted = rows[~repeated_by_signal(rows, overlaps, settings)]
    return {name: float(counted[name].sum()) for name in wanted}


# --- sources without a door, and feeds of factors ---------------------------------------------------------------------


def check_parsed(folder: Path, entry: dict[str, Any]) -> None:
    """Read an entry's files as a worker would, and hold counts and sums against it; an id that comes again is a duplicate."""
    if entry.get("kind") == "bad_requests":
        assert [status_of(line) for line in recorded(folder / entry["file"])] == entry["status"]
        return
    context = Context(datetime.now(UTC), ANY_AGE | entry["setting"])
    parsed = list(parsed_files([folder / name for name in entry["files"]], entry["source"], context))
    rows = pd.concat([each.activity for each in parsed], ignore_index=True)
    kept = rows.drop_duplicates("record_id")
    counts = {
        "received": sum(each.received for each in parsed),
        "written": int(kept["rows"].sum()),
        "duplicate": int(rows["rows"].sum() - kept["rows"].sum()),
        "quarantined": sum(rejection.rows for each in parsed for rejection in each.rejected),
        "outside": sum(each.outside for each in parsed),
    }
    assert {name: counts[name] for name in entry["counts"]} == entry["counts"]
    check(kept, entry)


def parsed_files(paths: list[Path], source: str, context: Context) -> Iterator[Parsed]:
    """Scrub and parse files one after the other; all recorded requests of remote write are one sender's."""
    if source == prometheus.NAME:
        lines = [line for path in paths for line in recorded(path)]
        yield prometheus.read([(raw_body(line, None), line["headers"]["Content-Type"]) for line in lines], context)
        return
    module = registry.reader(source)
    for path in paths:
        stored = module.scrub(path.read_bytes(), "", path.name)
        yield from module.parse(io.BytesIO(stored), replace(context, filename=path.name))


def status_of(line: dict[str, Any]) -> int:
    """Tell what the sender of a recorded remote-write request would be answered."""
    try:
        headers = line["headers"]
        prometheus_wire.samples(raw_body(line, None), headers["Content-Type"], headers["Content-Encoding"])
    except prometheus_wire.RefusedError as refused:
        return refused.status
    return 204


def check_slots(folder: Path, entry: dict[str, Any]) -> None:
    """Read the answers of a feed, and hold number, ends and mean of its slots against the entry."""
    assert entry["source"] in FEEDS, f"unknown source {entry['source']!r}"
    read = FEEDS[entry["source"]]
    slots = [
        slot
        for slot in distinct(slot for name in entry["files"] for slot in read((folder / name).read_bytes()))
        if all(getattr(slot, name) == value for name, value in entry.get("where", {}).items())
    ]
    assert len(slots) == entry["points"]
    for end, at in (("first", 0), ("last", -1)):
        for name, value in entry.get(end, {}).items():
            found = getattr(slots[at], name)
            if isinstance(found, datetime):
                assert found == datetime.fromisoformat(value), (end, name)
            elif isinstance(value, str):
                assert found == value, (end, name)
            else:
                assert found == pytest.approx(value, rel=entry["tolerance"]), (end, name)
    if slots:
        mean = sum(slot.g_per_kwh for slot in slots) / len(slots)
        assert mean == pytest.approx(entry["mean_g_per_kwh"], rel=entry["tolerance"])


FEEDS: dict[str, Callable[[bytes], list[Slot]]] = {
    "electricitymaps": electricitymaps.read,
    "watttime": watttime.read,
    "carbon_intensity_gb": carbon_intensity_gb.read,
    "carbon_aware_sdk": carbon_aware_sdk.read,
    "ember": ember.read,
    "entsoe": lambda body: entsoe.read(body, {}),
}
