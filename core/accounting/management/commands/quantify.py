"""`manage.py quantify`: records in, impacts out, one JSON object a line, without a database."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError

from core.factors.pack import DIRECTORY, NoFactorTables, load_pack
from core.quantification import records
from core.quantification.answer import answers
from core.quantification.methods import LATEST, METHODOLOGIES, UnknownMethodology, methodology_of
from core.quantification.overrides import ImpossibleFactor, Overrides, parse_overrides
from core.quantification.pack import FactorPack

BLOCK_LINES = 2_000


@dataclass(frozen=True)
class Fault:
    """Why a line has no answer."""

    record_id: str | None
    field: str | None
    reason: str
    detail: str

    def as_dict(self) -> dict[str, object]:
        """Return the error line."""
        error = {"field": self.field, "reason": self.reason, "detail": self.detail}
        return {"record_id": self.record_id, "error": error}


class Command(BaseCommand):
    """Quantify activity records without a database."""

    help = (
        'Quantify records: JSON lines {"record": {...}, "factors": {...}} in (FILE or stdin), one JSON answer a line out. '
        "Ends with 1 when a line could not be read."
    )
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare file, factor set and methodology."""
        parser.add_argument("file", nargs="?", metavar="FILE", help="JSON lines; stdin where it is not given or -")
        parser.add_argument(
            "--factor-set", metavar="NAME", help="name of the shipped set, or a folder of factor tables"
        )
        parser.add_argument(
            "--methodology",
            metavar="V",
            default=LATEST,
            help=f"version: {', '.join(sorted(METHODOLOGIES))}; settings follow it: '{LATEST} prefill=off'",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, quantify, print; fail at the end if a line failed."""
        try:
            methodology_of(options["methodology"])
        except UnknownMethodology as error:
            raise CommandError(str(error)) from error
        pack = _pack(options["factor_set"])
        failed = 0
        with _lines(options["file"]) as stream:
            for block in _blocks(stream):
                for line in answer_lines(block, pack, options["methodology"]):
                    failed += "error" in line
                    self.stdout.write(json.dumps(line, allow_nan=False))
        if failed:
            raise CommandError(f"{failed} line{'s' if failed > 1 else ''} could not be quantified")


def answer_lines(lines: Iterable[tuple[int, bytes]], pack: FactorPack, methodology: str) -> Iterator[dict[str, object]]:
    """
    Answer numbered lines, each on its own: an answer of contracts.md section 5, or an error.

    Args:
        lines: number and JSON.
    """
    faults: dict[int, Fault] = {}
    wire: list[tuple[int, object]] = []
    factors: dict[int, Overrides] = {}
    numbers = []
    for number, content in lines:
        numbers.append(number)
        read = _read(content)
        if isinstance(read, Fault):
            faults[number] = read
        else:
            wire.append((number, read[0]))
            factors[number] = read[1]
    frame, rejected = records.from_wire(wire)
    valid, more = records.check_activity(frame)
    for rejection in (*rejected, *more):
        faults[rejection.row] = Fault(rejection.record_id, rejection.field, rejection.reason, rejection.detail)
    given = [factors[number] for number in valid["row"]]
    answered = dict(zip(valid["row"], answers(valid, pack, methodology, given), strict=True))
    for number in numbers:
        yield faults[number].as_dict() if number in faults else answered[number]


def _read(content: bytes) -> tuple[object, Overrides] | Fault:
    try:
        line = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant)
        if b"\\ud" in content.lower():
            json.dumps(line, ensure_ascii=False).encode()  # refuses half of a surrogate pair, which is no text
    except (ValueError, RecursionError) as error:
        return Fault(None, None, "bad_json", str(error))
    if not isinstance(line, dict) or "record" not in line:
        return Fault(None, "record", "bad_field", 'a line is an object {"record": {...}, "factors": {...}}')
    record_id = line["record"].get("record_id") if isinstance(line["record"], dict) else None
    record_id = record_id if isinstance(record_id, str) else None
    unknown = sorted(set(line) - {"record", "factors"})
    if unknown:
        return Fault(record_id, unknown[0], "bad_field", "there is no such field")
    given = line.get("factors")
    given = {} if given is None else given
    if not isinstance(given, dict):
        return Fault(record_id, "factors", "bad_field", "factors are an object")
    try:
        return line["record"], parse_overrides(given)
    except ImpossibleFactor as error:
        return Fault(record_id, error.field, error.reason, str(error))


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _pack(name: str | None) -> FactorPack:
    shipped = load_pack()
    if name is None or name in {shipped.name, shipped.content_hash}:
        return shipped
    try:
        return load_pack(Path(name), name=Path(name).name)
    except NoFactorTables:
        message = f"no factor set {name!r}; shipped: {shipped.name} ({DIRECTORY})"
        raise CommandError(message) from None


def _lines(file: str | None) -> IO[bytes]:
    if file is None or file == "-":
        return open(sys.stdin.fileno(), "rb", closefd=False)
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}") from None


def _blocks(stream: IO[bytes]) -> Iterator[list[tuple[int, bytes]]]:
    numbered = ((number, line) for number, line in enumerate(stream, 1) if line.strip())
    while block := list(islice(numbered, BLOCK_LINES)):
        yield block
