"""The wire formats by name, and which of them a file looks like."""

from __future__ import annotations

from importlib import import_module
from typing import BinaryIO, Final, cast

import pyarrow
from pyarrow import parquet

from ingestion.sources.base import Adapter
from ingestion.sources.byte_streams import unpacked_head

HEAD_BYTES: Final = 64 * 1024

SOURCES: Final = (
    # Detection asks in this order: formats that say what they are come before those that only have telling columns.
    "otlp",
    "openai_usage",
    "anthropic_usage",
    "openrouter",
    "litellm",
    "langfuse",
    "monthly_totals",
    "assistant_seats",
    "codecarbon",
    "codecarbon_http_output",
    "codecarbon_csv",
    "azure_cost",
    "azure_carbon",
    "gcp_billing",
    "gcp_carbon",
    "focus",
    "aws_cur2",
    "aws_carbon",
    "activity",
)
"""Names of the sources, as in `import_usage SOURCE` and in the source's `kind`."""


PARSED_ONLY: Final = ("slurm_sacct", "mlflow", "wandb", "prometheus_text")
"""Formats that are read, but that no door takes yet."""


DROPPED: Final = (
    "Keys, columns and tags that name a person, a credential or what people wrote; mail addresses and keys in labels."
)
"""What every format drops, where its adapter does not say more."""


class UnknownSource(LookupError):
    """There is no wire format of that name; the message lists those that exist."""


def adapter(name: str) -> Adapter:
    """Give the module that reads the wire format `name`; raise UnknownSource when there is none."""
    if name not in SOURCES:
        raise UnknownSource(f"no source is called {name!r}; there are: {', '.join(sorted(SOURCES))}")
    return cast(Adapter, import_module(f"ingestion.sources.{name}"))


def reader(name: str) -> Adapter:
    """Give the module of a format, whether a door takes it or not; raise UnknownSource when there is none."""
    return cast(Adapter, import_module(f"ingestion.sources.{name}")) if name in PARSED_ONLY else adapter(name)


def dropped(name: str) -> str:
    """Say what the wire format `name` drops before anything is stored."""
    return str(getattr(adapter(name), "DROPPED", DROPPED))


def head_of(stream: BinaryIO) -> bytes:
    """
    Give what `detect` looks at: the first 64 KiB of what is inside a seekable file, which stays where it was.

    Parquet keeps the names of its columns at the end, so they are added: `PAR1`, then one name a line.
    """
    head = unpacked_head(stream, HEAD_BYTES)
    if head[:4] != b"PAR1":
        return head
    start = stream.tell()
    try:
        names = parquet.ParquetFile(stream).schema_arrow.names
    except (pyarrow.ArrowException, OSError):
        return head  # damaged: whoever is asked to read it says so
    finally:
        stream.seek(start)
    return "\n".join(["PAR1", *names, ""]).encode()


def detect(head: bytes, filename: str) -> tuple[str, str] | None:
    """
    Tell which wire format a file looks like.

    Args:
        head: its first bytes as `head_of` gives them; fewer may leave the question open.
        filename: as the sender names it; endings help where the content leaves a choice.

    Returns:
        The source's name and the reason in words, or None when nothing recognizes it.
    """
    for name in SOURCES:
        reason = adapter(name).detect(head, filename)
        if reason is not None:
            return name, reason
    return None
