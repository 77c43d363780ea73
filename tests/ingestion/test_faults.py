"""
Everything that can die does: workers killed in the middle of a batch, Valkey wiped, PostgreSQL restarted, all under load.

Afterwards every acknowledged payload is accounted for, each record is in the ledger once, and `reconcile` is clean.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from core.local.servers import Servers
from tests.ingestion import live

pytestmark = pytest.mark.slow

SENDERS = 4
RECORDS = 100  # a payload
LARGE_RECORDS = 60_000


@dataclass
class Place:
    """The servers of this test, and the environment that names them."""

    folder: Path
    servers: Servers
    environment: dict[str, str]
    worker: subprocess.Popen[bytes] | None = None

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=live.ROOT,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start_worker(self) -> None:
        self.worker = live.worker(self.folder)

    def kill_worker(self) -> None:
        """Kill -9, children first in no order: nobody gets to say goodbye."""
        assert self.worker is not None
        live.end(self.worker, signal.SIGKILL)

    def one(self, query: str) -> Any:
        with psycopg.connect(self.servers.postgres.url("wattledger_admin", "wattledger")) as connection:
            row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="wl-fault-"))
    folder.chmod(0o711)
    for name in ("log", "static"):
        (folder / name).mkdir()
    servers = Servers(folder)
    servers.start()
    environment = {
        "DATABASE_URL": servers.postgres.app_url,
        "MIGRATE_DATABASE_URL": servers.postgres.owner_url,
        "REDIS_URL": servers.valkey.url,
        "VAR_DIR": str(folder),
        "SECRET_KEY": "only-for-tests",
        "DEBUG": "0",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    made = Place(folder, servers, environment)
    yield made
    if made.worker is not None:
        live.end(made.worker, signal.SIGKILL)
    servers.stop()
    shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Load:
    """Senders that repeat a payload until it is acknowledged, as agents with a retry do."""

    address: str
    token: str
    batches: dict[str, int] = field(default_factory=dict)  # acknowledged: id -> records
    sent: int = 0
    refused: int = 0
    statuses: set[int] = field(default_factory=set)  # of refusals
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, sender: int) -> None:
        number = 0
        while not self.stop.is_set():
            body = records(f"s{sender}-{number}", RECORDS)
            self.until_acknowledged(body, RECORDS)
            number += 1

    def until_acknowledged(self, body: bytes, count: int) -> None:
        while True:
            request = urllib.request.Request(  # noqa: S310
                f"{self.address}/api/v1/activity",
                body,
                {"Authorization": f"Bearer {self.token}", "Content-Type": "application/x-ndjson"},
            )
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                    batch = json.loads(answer.read())["batch"]
            except urllib.error.HTTPError as error:
                self.refused += 1
                self.statuses.add(error.code)
                time.sleep(0.2)
                continue
            except OSError:
                time.sleep(0.2)
                continue
            with self.lock:
                self.batches[batch] = count
                self.sent += count
            return


def records(prefix: str, count: int) -> bytes:
    """Make JSON lines of records over many hours and a few series."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    lines = []
    for at in range(count):
        started = now - timedelta(hours=1 + at % 72)
        stamp = started.isoformat().replace("+00:00", "Z")
        lines.append(
            f'{{"record_id":"{prefix}-{at}","started_at":"{stamp}","ended_at":"{stamp}","stage":"inference","hosting":"api",'
            f'"evidence":"modelled","provider":"openai","model":"m{at % 5}","requests":1,"output_tokens":{at % 50}}}'
        )
    return "\n".join(lines).encode()


def test_nothing_acknowledged_is_lost_or_counted_twice(place: Place) -> None:
    place.manage("migrate", "--database", "owner", "--verbosity", "0")
    place.manage("create_organization", "fault", "--name", "Fault")
    place.manage("load_factors")
    token = place.manage("create_token", "--organization", "fault", "--name", "t", "--scope", "ingest").split()[-1]
    log = place.folder / "worker.log"
    with live.web(place.folder, workers=2) as address:
        load = Load(address, token)
        place.start_worker()
        senders = [threading.Thread(target=load.send, args=(number,)) for number in range(SENDERS)]
        for sender in senders:
            sender.start()
        live.wait_for(lambda: place.one("select count(*) from ingestion_batch where state = 'done'") > 5, 60, log)

        # a worker killed in the middle of a large batch
        load.until_acknowledged(records("large", LARGE_RECORDS), LARGE_RECORDS)
        being_read = "select count(*) from ingestion_batch where state = 'processing' and announced > 1000"
        live.wait_for(lambda: place.one(being_read) > 0, 60, log)
        place.kill_worker()
        place.start_worker()

        # a broker that forgets everything
        with redis.Redis.from_url(place.servers.valkey.url) as broker:
            broker.flushall()
        time.sleep(1)

        # a database that restarts under load
        place.servers.postgres.stop()
        time.sleep(0.5)
        place.servers.postgres.start()
        time.sleep(2)

        # and the worker again, whatever it does just now
        place.kill_worker()
        place.start_worker()
        time.sleep(1)
        load.stop.set()
        for sender in senders:
            sender.join(60)
        waiting = "select count(*) from ingestion_batch where state in ('pending', 'processing')"
        live.wait_for(lambda: place.one(waiting) == 0, 120, log)

    assert load.statuses == {503}, "refused as busy, never as an error; none: the restart was not felt"
    states = place.one("select json_object_agg(id, state) from ingestion_batch")
    assert {states.get(batch) for batch in load.batches} == {"done"}
    assert place.one("select count(*) from ledger_record") == load.sent
    assert place.one("select sum(requests) from ledger_record") == load.sent
    assert place.one("select sum(records) from ledger_cell") == load.sent
    assert (
        place.one("select count(*) from ingestion_batch where received <> written + duplicate + quarantined + outside")
        == 0
    )
    assert place.one("select sum(received) from ingestion_batch") >= load.sent
    assert place.one("select count(*) from ingestion_quarantine") == 0
    place.manage("reconcile", "--organization", "fault")
