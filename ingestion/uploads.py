"""Files of a delivery, from whoever hands them over (form, command, API) to their place below PAYLOAD_URL."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Final
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile

from core.quantification.private import masked
from ingestion import payloads
from ingestion.kinds import label_of
from ingestion.sources import activity, private_tables, registry
from ingestion.sources.base import UnreadablePayload
from ingestion.sources.byte_streams import from_pieces, open_maybe_compressed, unpacked_head
from ingestion.sources.private_texts import Rules

HEAD_BYTES: Final = 64 * 1024
LINE_BLOCK_BYTES: Final = 8 * 1024 * 1024


class UnknownFormatError(Exception):
    """The files are of no format that is known here, or of several; the message says which and what to do."""


@dataclass(frozen=True)
class Upload:
    """A file as it is handed over. ``open`` gives a seekable stream at its start, each time anew."""

    filename: str
    open: Callable[[], BinaryIO]
    content_type: str = ""


def from_form(file: UploadedFile[Any]) -> Upload:
    """Take a file of a form, wherever Django put it; it is gone when the request ends."""
    if isinstance(file, TemporaryUploadedFile):
        path = Path(file.temporary_file_path())
        return Upload(file.name or "", lambda: path.open("rb"), file.content_type or "")
    content = file.read()
    return Upload(file.name or "", lambda: io.BytesIO(content), file.content_type or "")


@dataclass(frozen=True)
class Detected:
    """The wire format of a delivery and why it was taken for that, file by file."""

    kind: str
    reasons: list[str]

    def sentences(self, given: Sequence[Upload]) -> list[str]:
        """Say what each file was taken for and why, for the batch's log."""
        return [f"{masked(upload.filename)}: {reason}." for upload, reason in zip(given, self.reasons, strict=True)]


def detect(uploads: Sequence[Upload], wanted: str = "") -> Detected:
    """
    Tell the wire format of a delivery, all of whose files must be of one.

    Args:
        uploads: its files.
        wanted: the format that the sender names; then nothing is guessed.

    Raises UnknownFormatError.
    """
    if wanted:
        if wanted not in registry.SOURCES:
            raise UnknownFormatError(
                f"No source is called {wanted!r}; there are {', '.join(sorted(registry.SOURCES))}."
            )
        return Detected(wanted, ["as named by the sender"] * len(uploads))
    kinds: list[str] = []
    reasons: list[str] = []
    for upload in uploads:
        head = head_of(upload)
        name = upload.filename or "The file"
        if mistaken := _mistaken(head, name):
            raise UnknownFormatError(mistaken)
        found = registry.detect(head, upload.filename)
        if found is None:
            raise UnknownFormatError(
                f"{name} looks like none of the formats read here"
                f" ({', '.join(sorted(map(label_of, registry.SOURCES)))}). Name its source if it is one of them."
            )
        kinds.append(found[0])
        reasons.append(found[1])
    if len(set(kinds)) > 1:
        listed = ", ".join(
            f"{upload.filename} is {label_of(kind)}" for upload, kind in zip(uploads, kinds, strict=True)
        )
        raise UnknownFormatError(f"One delivery has one format, but {listed}. Send them apart.")
    return Detected(kinds[0], reasons)


def _mistaken(head: bytes, name: str) -> str:
    """Say what a file is that was sent by mistake, and what to do; "" where it may be an export."""
    workbook = b"[Content_Types].xml" in head or name.lower().endswith(".xlsx")
    if head.startswith(b"PK\x03\x04") and not workbook:
        return f"{name} is a ZIP archive. Unpack it and send the files inside together."
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return f"{name} is in UTF-16. Save it in UTF-8."
    if head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return f"{name} is a web page, perhaps of a sign-in or an error. Open it, and export again."
    return ""


def head_of(upload: Upload) -> bytes:
    """Read what detection looks at. Raises UnreadablePayload when a packed file is broken from the start."""
    with upload.open() as stream:
        return registry.head_of(stream)


def keep(
    uploads: Sequence[Upload], *, kind: str, organization_id: int, batch_id: UUID, day: date
) -> list[payloads.PayloadFile]:
    """
    Scrub the files of a delivery and lay them down, named after the batch.

    Raises UnreadablePayload for a file of which no row can be read.
    """
    kept = []
    for number, upload in enumerate(uploads, 1):
        with upload.open() as stream, scrubbed(stream, kind, upload) as clean:
            kept.append(
                payloads.from_stream(
                    clean,
                    content_type=upload.content_type,
                    filename=masked(PurePath(upload.filename).name),
                    name=payloads.new_name(organization_id, day, batch_id, number),
                )
            )
    return kept


def scrubbed(stream: BinaryIO, kind: str, upload: Upload) -> BinaryIO:
    """
    Give the file's content without prompts and people.

    Tables are cleaned in a stream, whatever their size, and formats that clean their files themselves; other files too large
    for memory only where lines can be cut.
    """
    adapter = registry.adapter(kind)
    scrub_file: Callable[[BinaryIO], BinaryIO] | None = getattr(adapter, "scrub_file", None)
    if scrub_file is not None:
        return scrub_file(stream)
    if private_tables.is_table(unpacked_head(stream, HEAD_BYTES)):
        return private_tables.scrubbed(stream, getattr(adapter, "RULES", Rules()))
    limit = settings.MAX_PAYLOAD_MB * 1024 * 1024
    plain = open_maybe_compressed(stream)
    head = plain.read(LINE_BLOCK_BYTES)
    form = activity.form_of(head[:64], upload.filename, upload.content_type) if kind == activity.NAME else ""
    if form == activity.LINES and len(head) == LINE_BLOCK_BYTES:
        return from_pieces(_scrubbed_lines(head, plain, limit))
    head += plain.read(limit + 1 - len(head))
    if len(head) > limit:
        raise UnreadablePayload(
            f"{upload.filename}: files of this form may have {settings.MAX_PAYLOAD_MB} MB. Split it, or send JSON lines."
        )
    body = adapter.scrub(head, upload.content_type, upload.filename)
    if body != head:
        return io.BytesIO(body)
    stream.seek(0)
    return stream


def _scrubbed_lines(head: bytes, rest: BinaryIO, limit: int) -> Iterator[bytes]:
    waiting = head
    while waiting:
        more = rest.read(LINE_BLOCK_BYTES)
        end = waiting.rfind(b"\n") + 1 if more else len(waiting)
        if end:
            yield activity.scrub(waiting[:end], "application/x-ndjson", None)
        waiting = waiting[end:] + more
        if len(waiting) > limit:
            raise UnreadablePayload(f"A line is longer than {limit} bytes. Records are far shorter: look at the file.")
