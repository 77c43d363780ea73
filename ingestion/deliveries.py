"""
Deliveries of several files: a folder, or the files that a manifest names, taken as one and known to be whole.

A manifest among the files decides what belongs to the delivery: what it names and was not given is an error, as is a part
whose size or checksum differs; what was given beside is left out and said in the batch's log.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from ingestion.sources.base import UnreadablePayload
from ingestion.sources.manifests import Part, is_named_like_one, read_manifest
from ingestion.uploads import Upload

MANIFEST_BYTES: Final = 16 * 1024 * 1024
PIECE_BYTES: Final = 1024 * 1024
NAMED: Final = 5
"""Files named in a message; of more only the number is told."""

BESIDE: Final = (".sql", ".yml", ".yaml", ".md", ".txt", ".crc", ".sha256", ".md5")
"""Endings of files that exports lay beside their data; those that begin with `_` or `.` are left out too."""

STATUS: Final = "cost_and_usage_data_status"
"""Folder in which AWS keeps what its crawler knows of a report."""


class IncompleteDelivery(UnreadablePayload):
    """Files that the manifest names are missing or differ from what it says; the message names them."""


@dataclass(frozen=True)
class Delivery:
    """The files of a delivery, and what its batch's log should say of how they came together."""

    uploads: list[Upload]
    log: list[str] = field(default_factory=list)


def gathered(given: Sequence[Upload]) -> Delivery:
    """
    Settle which files make up a delivery.

    Args:
        given: its files, manifests among them or not.

    Raises IncompleteDelivery, naming what is missing, differs or cannot be told apart.
    """
    named: list[Part] = []
    manifests: list[str] = []
    others: list[Upload] = []
    for upload in given:
        parts = parts_of(upload)
        if parts is None:
            others.append(upload)
        else:
            manifests.append(upload.filename)
            named += [part for part in parts if not any(_is_same(part, other) for other in named)]
    if not manifests:
        return Delivery(list(given))
    pairs = _chosen(named, others)
    for part, upload in pairs:
        _compare(part, upload)
    chosen = [upload for _, upload in pairs]
    extra = [upload.filename for upload in others if upload not in chosen]
    log = [f"{len(chosen)} files as {_listed([_last(name) for name in manifests])} names them, none missing."]
    checked = sum(1 for part in named if part.digest)
    if checked:
        log.append(f"The checksums of {checked} files are those of the manifest.")
    if extra:
        log.append(f"Left out, since no manifest names them: {_listed([_last(name) for name in extra])}.")
    return Delivery(chosen, log)


def parts_of(upload: Upload) -> list[Part] | None:
    """Give the parts that a file names when it is a manifest, else None."""
    if not is_named_like_one(upload.filename):
        return None
    with upload.open() as stream:
        body = stream.read(MANIFEST_BYTES + 1)
    return read_manifest(body) if len(body) <= MANIFEST_BYTES else None


def _chosen(named: Sequence[Part], others: Sequence[Upload]) -> list[tuple[Part, Upload]]:
    """
    Find the file of each part: the one whose path agrees with the part's for most steps from the end. Parts that agree
    best choose first, so that a missing file does not take one of the same name from another folder.
    """
    if not named:
        raise IncompleteDelivery("The manifest names no files.")
    wishes = [(part, [(_agreeing(part.steps, _steps(upload.filename)), upload) for upload in others]) for part in named]
    wishes.sort(key=lambda wish: -max((score for score, _ in wish[1]), default=0))
    chosen: list[tuple[Part, Upload]] = []
    missing: list[str] = []
    for part, scored in wishes:
        taken = [upload for _, upload in chosen]
        best = max((score for score, upload in scored if upload not in taken), default=0)
        found = [upload for score, upload in scored if score == best and upload not in taken]
        if not best:
            missing.append(part.steps[-1])
        elif len(found) > 1:
            raise IncompleteDelivery(
                f"Several files are called {part.steps[-1]}, and their folders do not tell them apart. "
                "Send each manifest with its own files."
            )
        else:
            chosen.append((part, found[0]))
    if missing:
        raise IncompleteDelivery(
            f"The manifest names {len(named)} files, of which {len(missing)} are missing: {_listed(missing)}. "
            "Send all of them together."
        )
    return sorted(chosen, key=lambda pair: named.index(pair[0]))


def _is_same(part: Part, other: Part) -> bool:
    """Tell whether two manifests name one file, as a key and as a URL."""
    return _agreeing(part.steps, other.steps) == min(len(part.steps), len(other.steps))


def _steps(path: str) -> tuple[str, ...]:
    return tuple(step for step in path.replace("\\", "/").split("/") if step)


def _agreeing(one: Sequence[str], other: Sequence[str]) -> int:
    """Count the steps at the end of two paths that are equal; 0 when the names differ."""
    count = 0
    for mine, theirs in zip(reversed(one), reversed(other), strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def _compare(part: Part, upload: Upload) -> None:
    with upload.open() as stream:
        if part.size_bytes is not None:
            size = stream.seek(0, io.SEEK_END)
            stream.seek(0)
            if size != part.size_bytes:
                raise IncompleteDelivery(
                    f"{part.steps[-1]} has {size} bytes where the manifest says {part.size_bytes}. Transfer it again."
                )
        if part.digest:
            hashed = hashlib.new(part.algorithm, usedforsecurity=False)
            while piece := stream.read(PIECE_BYTES):
                hashed.update(piece)
            if hashed.digest() != part.digest:
                raise IncompleteDelivery(
                    f"{part.steps[-1]} has another {part.algorithm} checksum than the manifest says. Transfer it again."
                )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _last(path: str) -> str:
    return PurePosixPath(path.replace("\\", "/")).name


# --- folders and manifests as a path or URL names them ------------------------------------------------------------------


def in_folder(files: Any, folder: str) -> list[str]:
    """List the files below a folder of an fsspec file system that may be data or manifests, in order of their paths."""
    found = sorted(name for name in files.find(folder) if files.size(name))
    return [name for name in found if not _is_beside(name[len(folder.rstrip("/")) :])]


def _is_beside(path: str) -> bool:
    steps = _steps(path)
    return any(step.startswith((".", "_")) or step == STATUS for step in steps) or steps[-1].lower().endswith(BESIDE)


def beside_manifest(files: Any, manifest: str, parts: Sequence[Part], upload: Callable[[str], Upload]) -> list[Upload]:
    """
    Find the files that a manifest names around it: in its own folder, or from one of the folders above along the path that
    it gives. What is not found is left to `gathered`, which says so.

    Args:
        files: the fsspec file system that the manifest lies on.
        manifest: its path there.
        parts: what it names.
        upload: makes an upload of a path.
    """
    own, *above = PurePosixPath(manifest).parents
    found = []
    for part in parts:
        places = [own / part.steps[-1]]
        places += [folder.joinpath(*part.steps[-n:]) for folder in (own, *above) for n in range(len(part.steps), 1, -1)]
        name = next((str(place) for place in places if files.isfile(str(place))), None)
        if name is not None:
            found.append(upload(name))
    return found
