"""Peak memory of an adapter on files of growing size, each in a process of its own: constant is what does not grow with them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

FILE = """
import shutil, sys, tempfile
from datetime import UTC, datetime
from pathlib import Path
from django.conf import settings
settings.configure(MAX_PAYLOAD_MB=64)
from ingestion import uploads
from ingestion.sources import registry
from ingestion.sources.base import Context
adapter, path = registry.adapter(sys.argv[1]), Path(sys.argv[2])
setting = {"reported_basis": "location", "month": "2026-10", "max_age_days": 36500}
with path.open("rb") as stream, tempfile.TemporaryFile() as kept:
    upload = uploads.Upload(path.name, lambda: path.open("rb"))
    shutil.copyfileobj(uploads.scrubbed(stream, adapter.NAME, upload), kept)
    kept.seek(0)
    context = Context(datetime(2026, 11, 25, tzinfo=UTC), setting, filename=path.name)
    rows = sum(chunk.received for chunk in adapter.parse(kept, context))
from tests.benchmarks.memory import own_peak_mb
print(own_peak_mb(), rows)
"""
"""A file through scrubber and adapter, as door and worker do; prints the peak in MB and the rows."""

GROWTH = (1, 4, 16)


def of_files(
    name: str, path: Path, write: Callable[[Path, int], None], rows: int, growth: tuple[int, ...] = GROWTH
) -> list[dict[str, Any]]:
    """Measure an adapter on a file of so many rows, and of multiples of them; the file is left behind."""

    def peak(times: int) -> float:
        write(path, rows * times)
        most, read = printed(FILE, name, path)
        if not read or read % (rows * times):  # some formats make several records of a row
            raise RuntimeError(f"{name}: {read:.0f} of {rows * times} rows were read")
        return most

    return grown(f"read_{name}_memory", peak, growth)


def grown(name: str, peak: Callable[[int], float], growth: tuple[int, ...] = GROWTH) -> list[dict[str, Any]]:
    """Give the peak at multiples of a size beside that at the size. [MB]"""
    first, *rest = growth
    small = peak(first)
    found = []
    for times in rest:
        large = peak(times)
        found.append(
            {
                "name": f"{name}_{times}x",
                "value": large,
                "unit": "MB peak",
                "compared_with": f"a file 1/{times} as large",
                "compared_value": small,
                "ratio": large / small,
                "runs": 1,
                "spread": None,
            }
        )
    return found


def own_peak_mb() -> float:
    """Give the peak of this process since it was started; `ru_maxrss` begins with that of the process it was forked from. [MB]"""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def printed(program: str, *arguments: object) -> tuple[float, ...]:
    """Run a program; give the numbers that it prints."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    return tuple(float(part) for part in done.stdout.split())
