"""
Manifests: the JSON files beside an export that name its parts, so that a delivery is known to be whole.

Read are those of AWS Data Exports (`dataFiles`), the legacy Cost and Usage Report (`reportKeys`, `entries` of its Redshift
manifest), S3 Storage Lens (`reportFiles`) and Azure Cost Management (`blobs`). Parts are texts or objects; an object may
also say size and checksum.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

import msgspec

LISTS: Final = ("dataFiles", "reportKeys", "blobs", "reportFiles", "entries")
_PATHS: Final = ("blobName", "key", "url", "uri", "path", "name", "fileName")
_SIZES: Final = ("byteCount", "size", "sizeBytes", "bytes", "contentLength")
_CHECKSUMS: Final[Mapping[str, str]] = {
    "md5": "md5",
    "md5checksum": "md5",
    "contentmd5": "md5",
    "sha256": "sha256",
    "sha256checksum": "sha256",
    "checksumsha256": "sha256",
    "contentsha256": "sha256",
}
_DIGEST_BYTES: Final = {"md5": 16, "sha256": 32}
_SCHEME: Final = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """
    A file that a manifest names.

    Args:
        path: as the manifest writes it: a key, a path or a URL.
        size_bytes: where it is stated.
        algorithm, digest: of the checksum, where one is stated: `md5` or `sha256`.
    """

    path: str
    size_bytes: int | None = None
    algorithm: str = ""
    digest: bytes = b""

    @property
    def steps(self) -> tuple[str, ...]:
        """
        Give the parts of its path, without scheme.

        >>> Part("s3://bucket/cur/data/BILLING_PERIOD%3D2026-10/cur-00001.csv.gz").steps[-2:]
        ('BILLING_PERIOD=2026-10', 'cur-00001.csv.gz')
        """
        plain = unquote(_SCHEME.sub("", self.path)).replace("\\", "/")
        return tuple(step for step in plain.split("/") if step not in ("", ".", ".."))


def is_named_like_one(filename: str) -> bool:
    """Tell whether a file is called as providers call their manifests: `...manifest.json`."""
    return filename.lower().endswith("manifest.json")


def read_manifest(body: bytes) -> list[Part] | None:
    """Give the parts that a manifest names; None when the content is no manifest of a known form."""
    try:
        content = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    for name in LISTS:
        entries = content.get(name)
        if isinstance(entries, list):
            parts = [_part(entry) for entry in entries]
            return None if any(part is None for part in parts) else [part for part in parts if part is not None]
    return None


def _part(entry: Any) -> Part | None:
    if isinstance(entry, str):
        return Part(entry) if Part(entry).steps else None
    if not isinstance(entry, dict):
        return None
    path = next((entry[name] for name in _PATHS if isinstance(entry.get(name), str)), "")
    size = next((entry[name] for name in _SIZES if isinstance(entry.get(name), int)), None)
    algorithm, digest = "", b""
    for name, value in entry.items():
        known = _CHECKSUMS.get(re.sub(r"[^a-z0-9]", "", name.lower()))
        if known and isinstance(value, str) and (found := _digest(value, _DIGEST_BYTES[known])):
            algorithm, digest = known, found
    part = Part(path, size, algorithm, digest)
    return part if part.steps else None


def _digest(text: str, size: int) -> bytes:
    """Read a checksum in hex or base64; b"" when it is neither."""
    try:
        return bytes.fromhex(text) if len(text) == 2 * size else _whole(base64.b64decode(text, validate=True), size)
    except (ValueError, binascii.Error):
        return b""


def _whole(digest: bytes, size: int) -> bytes:
    return digest if len(digest) == size else b""
