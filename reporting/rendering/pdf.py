"""
PDF by Typst: archivable (PDF/A-3a) and accessible (PDF/UA-1), the same bytes for the same values.

A layout is a file of ``layouts/`` that takes plain text, already in the reader's language and units, through
``data`` of ``house.typ``. What people have typed arrives there as text, never as markup, so none of it can run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import typst

HERE: Final = Path(__file__).resolve().parent
LAYOUTS: Final = HERE / "layouts"
FONTS: Final = HERE / "fonts"
STANDARDS: Final[tuple[Literal["a-3a", "ua-1"], ...]] = ("a-3a", "ua-1")

COVERED: Final = (
    *((0x20, 0x7E), (0xA0, 0x181), (0x1CD, 0x1DD), (0x300, 0x30D), (0x38E, 0x3A1), (0x3A3, 0x3D1), (0x400, 0x45F)),
    *((0x1E9E, 0x1EF9), (0x2009, 0x200A), (0x2010, 0x201E), (0x2020, 0x2022), (0x2026, 0x2026), (0x202F, 0x2030)),
    *((0x2032, 0x2033), (0x2039, 0x203A), (0x2074, 0x208E), (0x20AC, 0x20AC), (0x2190, 0x2199), (0x2211, 0x2212)),
    *((0x221A, 0x221A), (0x221E, 0x221E), (0x2248, 0x2248), (0x2260, 0x2260), (0x2264, 0x2265), (0x25A1, 0x25A1)),
    *((0x25B2, 0x25B2), (0x25BC, 0x25BC), (0x25CB, 0x25CB), (0x25CF, 0x25CF), (0x2713, 0x2713)),
)
"""First and last code points that the fonts can show: Latin, Greek, Cyrillic and the signs of figures."""
UNSHOWN: Final = "\u25a1"
"""What stands for any other character; PDF/A refuses a file that would show nothing for one."""


@dataclass(frozen=True)
class Attachment:
    """A file inside the PDF, such as the values that it was made from."""

    name: str
    mime_type: str
    description: str
    content: str


def pdf(
    layout: str,
    data: Mapping[str, Any],
    *,
    title: str,
    language: str,
    made_at: datetime,
    attachments: Sequence[Attachment] = (),
) -> bytes:
    """
    Lay values out as a PDF.

    Args:
        layout: name of a file of ``layouts/``.
        data: what the layout shows: text, lists and objects; numbers only where it draws them.
        title: of the document, as readers and screen readers name it.
        language: of its text, such as "de".
        made_at: written into the file in place of the time of the call, so that equal values give equal bytes.
    """
    given = {
        **shown(data),
        "document": {"title": shown(title), "language": language, "made_at": _parts(made_at)},
        "attachments": [
            {"name": each.name, "mime_type": each.mime_type, "description": each.description, "content": each.content}
            for each in attachments
        ],
    }
    made = typst.compile(
        str(LAYOUTS / f"{layout}.typ"),
        root=str(LAYOUTS),
        font_paths=[str(FONTS)],
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(given, ensure_ascii=False)},
        pdf_standards=[*STANDARDS],
        timestamp=int(made_at.timestamp()),
    )
    assert isinstance(made, bytes)  # noqa: S101  one file is asked for
    return made


def shown(value: Any) -> Any:
    """
    Replace, in every text, what the fonts have no sign for.

    >>> shown({"team": ["Vertrieb", "\u8ca9\u58f2"]})
    {'team': ['Vertrieb', '□□']}
    """
    if isinstance(value, str):
        return "".join(each if each == "\n" or _covered(ord(each)) else UNSHOWN for each in value)
    if isinstance(value, Mapping):
        return {name: shown(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [shown(each) for each in value]
    return value


def _covered(code: int) -> bool:
    return any(first <= code <= last for first, last in COVERED)


def _parts(at: datetime) -> dict[str, int]:
    at = at.astimezone(UTC)
    return {name: getattr(at, name) for name in ("year", "month", "day", "hour", "minute", "second")}
