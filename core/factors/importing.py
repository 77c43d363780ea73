"""Read factor tables from what people have: a folder, a .zip or .tar.gz of tables, or one table as CSV."""

from __future__ import annotations

import csv
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from core.quantification.factor_checks import SOURCES
from core.quantification.factor_tables import TABLES
from core.quantification.pack import FactorPack

MOST_BYTES: Final = 200_000_000
"""Of all tables together, unpacked: the shipped set has 3 MB."""


class NothingToImport(Exception):
    """There is no factor table in what was given; the message says what was looked for."""


def read_tables(path: Path) -> dict[str, bytes]:
    """
    Read tables as they were delivered.

    Args:
        path: folder or archive of ``<table>--<dataset>.csv``, or one such file. A file ``<table>.csv`` holds several
            datasets and is split; ``sources.csv`` says where datasets come from.

    Raises:
        NothingToImport: nothing there, no table in it, or an archive that cannot be read or is too large.
    """
    files = dict(_files(path))
    if not any(PurePosixPath(name).stem != SOURCES for name in files):
        raise NothingToImport(f"There is no factor table in {path}: looked for <table>--<dataset>.csv.")
    tables: dict[str, bytes] = {}
    for name, content in files.items():
        stem = PurePosixPath(name).stem
        tables |= {stem: content} if "--" in stem or stem == SOURCES else _split(stem, content)
    return tables


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        found = sorted(path.glob("*.csv"))
        yield from _within((each.name, each.stat().st_size, each.read_bytes) for each in found)
        return
    if not path.is_file():
        raise NothingToImport(f"There is no file or folder {path}.")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                names = _topmost([each.filename for each in packed.infolist() if not each.is_dir()])
                yield from _within((name, packed.getinfo(name).file_size, partial(packed.read, name)) for name in names)
        elif tarfile.is_tarfile(path):
            with tarfile.open(path) as taped:
                files = {each.name: each for each in taped.getmembers() if each.isfile()}
                names = _topmost(list(files))
                yield from _within((name, files[name].size, partial(_content, taped, files[name])) for name in names)
        elif path.suffix.casefold() == ".csv":
            yield from _within([(path.name, path.stat().st_size, path.read_bytes)])
        else:
            raise NothingToImport(f"{path} is no folder, .zip, .tar.gz or .csv.")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise NothingToImport(f"{path} cannot be unpacked: {error}.") from error


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    opened = archive.extractfile(member)
    return opened.read() if opened is not None else b""


def _within(files: Iterable[tuple[str, int, Callable[[], bytes]]]) -> Iterator[tuple[str, bytes]]:
    """Read files one by one, and stop before they grow beyond ``MOST_BYTES`` together."""
    total = 0
    for name, size, read in files:
        if total + size > MOST_BYTES:
            raise NothingToImport(f"The tables are larger than {MOST_BYTES // 1_000_000} MB: import fewer at once.")
        content = read()
        total += len(content)
        yield name, content


def _topmost(names: list[str]) -> list[str]:
    """Return the CSV files of the topmost folder of an archive that has any, sorted."""
    tables = sorted(name for name in names if name.casefold().endswith(".csv") and not name.startswith("__MACOSX"))
    depth = min((name.count("/") for name in tables), default=0)
    return [name for name in tables if name.count("/") == depth]


def _split(table: str, content: bytes) -> dict[str, bytes]:
    """Split a table that holds several editions by their ``dataset``; what cannot be split is left for the checks."""
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error):
        return {table: content}
    if not rows or "dataset" not in rows[0]:
        return {table: content}
    at = rows[0].index("dataset")
    editions: dict[str, list[list[str]]] = {}
    for row in rows[1:]:
        if len(row) != len(rows[0]):
            return {table: content}
        editions.setdefault(row[at], []).append(row)
    return {f"{table}--{dataset}": _written([rows[0], *lines]) for dataset, lines in editions.items()}


def _written(rows: list[list[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


def on_base(base: FactorPack, tables: Mapping[str, bytes], *, prefer: bool) -> dict[str, bytes]:
    """
    Put tables into a set.

    Args:
        base: the set; a table of the same name is replaced, all others stay.
        prefer: rows of the new tables take the place of the base's preferred ones of the same choice, which stay in the
            new set, not preferred. The base itself does not change.
    """
    kept = {name: content for name, content in base.blobs.items() if name not in tables}
    if SOURCES in tables and SOURCES in base.blobs:
        tables = {**tables, SOURCES: _joined(base.blobs[SOURCES], tables[SOURCES])}
    if prefer:
        kept = {name: _stepped_back(name, content, tables) for name, content in kept.items()}
    return {**kept, **tables}


def _joined(old: bytes, new: bytes) -> bytes:
    """Join two tables of sources; of a dataset in both the new row counts."""
    added = _readable(new)
    if not added:
        return new  # the checks say what is wrong with it
    rows = {row.get("dataset") or "": row for row in (*_readable(old), *added)}
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    return _written([columns, *([row.get(column) or "" for column in columns] for row in rows.values())])


def _readable(content: bytes) -> list[dict[str, str]]:
    """Read rows as far as they can be read at all; what cannot is the checks' to say."""
    try:
        return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), restkey="", restval=""))
    except (UnicodeDecodeError, csv.Error):
        return []


def _stepped_back(name: str, content: bytes, tables: Mapping[str, bytes]) -> bytes:
    """Take ``preferred`` from rows whose choice the new tables answer."""
    table = TABLES.get(name.partition("--")[0])
    if table is None or not table.choice:
        return content
    chosen: set[tuple[str, ...]] = set()
    for other, new in tables.items():
        if other.partition("--")[0] == name.partition("--")[0]:
            chosen |= {
                tuple(cells.get(column) or "" for column in table.choice)
                for cells in _readable(new)
                if cells.get("preferred") == "True"
            }
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    at = rows[0].index("preferred")
    places = [rows[0].index(column) for column in table.choice]
    changed = [row for row in rows[1:] if row[at] == "True" and tuple(row[place] for place in places) in chosen]
    for row in changed:
        row[at] = "False"
    return _written(rows) if changed else content
