"""The contents of the handbook, as its README lists them: groups of pages, each with its title and one line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "methodology"
README: Final = "README"
_ENTRY: Final = re.compile(r"^- \[(?P<title>[^\]]+)\]\((?P<name>[a-z0-9-]+)\.md\): (?P<line>.+)$")


@dataclass(frozen=True)
class Entry:
    """A page: its name in addresses and file names, its title, and what it answers in one line."""

    name: str
    title: str
    line: str


@dataclass(frozen=True)
class Group:
    """Pages under one heading."""

    title: str
    entries: tuple[Entry, ...]


def parse_contents(text: str) -> tuple[Group, ...]:
    """
    Read the groups of a table of contents; headings without entries are none.

    >>> parse_contents("## Energy\\n\\n- [Tokens](tokens.md): What an answer takes.")[0].entries[0].name
    'tokens'
    """
    found: list[tuple[str, list[Entry]]] = []
    for row in text.splitlines():
        entry = _ENTRY.match(row)
        if row.startswith("## "):
            found.append((row.removeprefix("## "), []))
        elif entry is not None and found:
            found[-1][1].append(Entry(entry["name"], entry["title"], entry["line"]))
    return tuple(Group(title, tuple(entries)) for title, entries in found if entries)


def around_groups(text: str) -> tuple[str, str]:
    """
    Return what a table of contents says before its groups, and after them.

    >>> around_groups("# All\\n\\nWhy.\\n\\n## Energy\\n\\n- [Tokens](tokens.md): Answers.\\n\\n## Rules\\n\\nNone.\\n")
    ('# All\\n\\nWhy.\\n', '## Rules\\n\\nNone.\\n')
    """
    before, *sections = text.split("\n## ")
    after = [f"## {section}" for section in sections if not parse_contents(f"## {section}")]
    return before, "\n".join(after)


@lru_cache(maxsize=1)
def contents() -> tuple[Group, ...]:
    """Return the groups of the handbook."""
    return parse_contents(text_of(README))


@lru_cache(maxsize=1)
def entries() -> dict[str, Entry]:
    """Return the pages by name, in their order."""
    return {entry.name: entry for group in contents() for entry in group.entries}


@lru_cache(maxsize=64)
def text_of(name: str) -> str:
    """Return the Markdown of a page that the contents name, or of the README itself."""
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")
