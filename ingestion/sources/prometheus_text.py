"""
Prometheus' text and OpenMetrics format, as an exporter shows it: scrapes with times, separated by `# EOF`.

A single scrape only says where counters stand, so nothing comes of it but a remark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from core.quantification.private import is_private
from core.quantification.prose import brief
from core.quantification.rejections import Rejection
from ingestion.sources import prometheus
from ingestion.sources.base import Context, Parsed, UnreadablePayload
from ingestion.sources.byte_streams import open_maybe_compressed
from ingestion.sources.prometheus_wire import Sample

NAME: Final = "prometheus_text"
SNAPSHOT: Final = False

DROPPED: Final = "Labels that name a person, a command line or content."
"""What never reaches the inbox, in words for the privacy page."""

BASELINE: Final = "A single scrape, or one without times, only says where counters stand: it makes no record."

_LINE: Final = re.compile(
    r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})?[ \t]+(?P<value>[^\s#]+)(?:[ \t]+(?P<time>-?[\d.]+))?(?:\s+#.*)?$"
)
_LABEL: Final = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')
_ESCAPES: Final = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


@dataclass(frozen=True)
class Line:
    """One line of a scrape. [ms since 1970; None where it has no time]"""

    labels: dict[str, str]
    value: float
    at_ms: int | None


def detect(head: bytes, filename: str) -> str | None:
    """Recognize the comments that name a metric's type."""
    return "Prometheus text" if re.search(rb"^# (?:TYPE|HELP) [a-zA-Z_:]", head, re.MULTILINE) else None


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Take private labels out of every line; a line that cannot be read is left as a comment."""
    return b"\n".join(_scrubbed(line) for line in _text(body).split("\n"))


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """Read a file of one or more scrapes."""
    text = _text(open_maybe_compressed(stream).read())
    samples: list[Sample] = []
    rejected: list[Rejection] = []
    received = untimed = 0
    is_open_metrics = "\n# EOF" in f"\n{text}"
    for line in text.split("\n"):
        if not line.strip() or line.startswith("#"):
            continue
        received += 1
        read = read_line(line, seconds=is_open_metrics)
        if read is None:
            rejected.append(Rejection(received, None, None, "bad_field", "the line is no sample"))
        elif read.at_ms is None:
            untimed += 1
        else:
            samples.append(Sample(read.labels, read.at_ms, read.value))
    parsed = prometheus.of_samples(samples, context)
    log = [] if len(parsed.activity) else [BASELINE]
    yield Parsed(
        parsed.activity,
        sorted([*rejected, *parsed.rejected], key=lambda each: each.row),
        received,
        parsed.outside + untimed,
        log=log,
    )


def read_line(line: str, *, seconds: bool = False) -> Line | None:
    """
    Read a line; None when it is no sample. Times are milliseconds, in OpenMetrics seconds.

    >>> read_line('up{job="a"} 1 1700000000000')
    Line(labels={'__name__': 'up', 'job': 'a'}, value=1.0, at_ms=1700000000000)
    """
    found = _LINE.match(line.strip())
    if not found:
        return None
    try:
        value = float(found["value"])
        at_ms = None if found["time"] is None else round(float(found["time"]) * (1000 if seconds else 1))
    except ValueError:
        return None
    labels = {"__name__": found["name"], **{key: _plain(text) for key, text in _LABEL.findall(found["labels"] or "")}}
    return Line(labels, value, at_ms)


def _plain(text: str) -> str:
    return re.sub(r"\\.", lambda escape: _ESCAPES.get(escape[0], escape[0]), text)


def _scrubbed(line: str) -> bytes:
    if not line.strip() or line.startswith(("# EOF", "# TYPE")):
        return line.encode()
    found = _LINE.match(line.strip())
    if line.startswith("#") or not found:
        return b"#"
    kept = [(key, text) for key, text in _LABEL.findall(found["labels"] or "") if not _is_private(key)]
    labels = ",".join(f'{key}="{brief(text, key)}"' for key, text in kept)
    time = f" {found['time']}" if found["time"] else ""
    return f"{found['name']}{{{labels}}} {found['value']}{time}".encode()


def _is_private(key: str) -> bool:
    return key in ("cmdline", "exe") or is_private(key)


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise UnreadablePayload(f"The file is no text in UTF-8 (byte {error.start}).") from error
