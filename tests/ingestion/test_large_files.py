"""A bill of 200,000 rows: constant memory, and progress that only grows."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from core.organizations.tenancy import organization_scope
from ingestion import selectors
from tests.ingestion import live
from tests.payloads.focus.make_large import write_focus_csv

pytestmark = [pytest.mark.usefixtures("committed_db", "servers"), pytest.mark.slow]

ROWS = 200_000
LIMIT_MB = 500

MEASURED = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "manage.py", *sys.argv[1:]], capture_output=True, text=True)
print(done.stdout + done.stderr)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
sys.exit(done.returncode)
"""


def test_a_large_bill_needs_little_memory_and_its_counts_never_fall(organization: Any, tmp_path: Path) -> None:
    bill = tmp_path / "bill.csv"
    write_focus_csv(bill, ROWS)
    seen: list[dict[str, int]] = []
    over = threading.Event()
    watching = threading.Thread(target=watch, args=(organization.id, seen, over))

    watching.start()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "import_usage", "focus", str(bill), "--organization", "northwind"],
        cwd=live.ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    over.set()
    watching.join()

    assert done.returncode == 0, done.stdout + done.stderr
    *_, peak_mb = done.stdout.split()
    assert int(peak_mb) < LIMIT_MB
    assert all(later[name] >= count for before, later in itertools.pairwise(seen) for name, count in before.items())
    assert any(0 < counts.get("received", 0) < ROWS for counts in seen), "no progress was ever seen"
    counts = counts_of(organization.id)
    assert counts["received"] == ROWS == sum(count for name, count in counts.items() if name != "received")


def watch(organization_id: int, seen: list[dict[str, int]], over: threading.Event) -> None:
    from django.db import connection

    while not over.is_set():
        seen.append(counts_of(organization_id))
        time.sleep(0.1)
    connection.close()


def counts_of(organization_id: int) -> dict[str, int]:
    with organization_scope(organization_id):
        batch = selectors.batches(organization_id).first()
        return batch.counts if batch else {}
