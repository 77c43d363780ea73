"""Markdown of the handbook to HTML that the content security policy allows: no inline styles, nothing unescaped."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from itertools import pairwise
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from reporting.handbook.contents import text_of
from reporting.handbook.examples import KIND, Example, parse_example

FORMULA: Final = "formula"
_UNIT: Final = re.compile(r"(?P<text>.*\S)\s{4,}(?P<unit>[^=]+)")

Address = Callable[[str], str]
"""Page name ("README" for the contents) to its address."""


@dataclass(frozen=True)
class Page:
    """A page to show: its title, what stands under it, and its sections as ``(anchor, heading)``."""

    title: str
    html: str
    sections: tuple[tuple[str, str], ...]


@lru_cache(maxsize=64)
def rendered(name: str, address: Address) -> Page:
    """Render a page of the handbook by its name."""
    return render(text_of(name), address)


def render(text: str, address: Address) -> Page:
    """
    Render Markdown; the first heading becomes the title, links between files become addresses.

    >>> page = render("# PUE\\n\\nFacility over IT, see [water](water.md).", "/methodology/{}/".format)
    >>> page.title, page.html
    ('PUE', '<p>Facility over IT, see <a href="/methodology/water/">water</a>.</p>\\n')
    """
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=Renderer).enable("table")
    tokens = parser.parse(text)
    title = ""
    if tokens and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        title = tokens[1].content
        tokens = tokens[3:]
    sections = _anchor(tokens)
    _address(tokens, address)
    return Page(title, parser.renderer.render(tokens, parser.options, {}), sections)


def anchor_of(heading: str) -> str:
    """
    Turn a heading into its anchor.

    >>> anchor_of("Where the numbers come from")
    'where-the-numbers-come-from'
    """
    return re.sub(r"[^a-z0-9]+", "-", heading.casefold()).strip("-")


def _anchor(tokens: Sequence[Token]) -> tuple[tuple[str, str], ...]:
    found = []
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", anchor_of(inline.content))
            found.append((anchor_of(inline.content), inline.content))
    return tuple(found)


def _address(tokens: Sequence[Token], address: Address) -> None:
    for token in tokens:
        _address(token.children or (), address)
        if token.type == "link_open":
            file, hash_sign, anchor = str(token.attrGet("href")).partition("#")
            if file.endswith(".md"):
                token.attrSet("href", address(file.removesuffix(".md")) + hash_sign + anchor)


class Renderer(RendererHTML):
    """HTML as the product's pages have it: headings that link to themselves, tables that scroll, examples as steps."""

    def heading_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Let a heading link to itself."""
        anchor = escape(str(tokens[idx].attrGet("id")))
        return f'<{tokens[idx].tag} id="{anchor}"><a href="#{anchor}">'

    def heading_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Close what `heading_open` opened."""
        return f"</a></{tokens[idx].tag}>\n"

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Let a wide table scroll by itself."""
        return '<div class="table-wrap small-table" tabindex="0"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Close what `table_open` opened."""
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Head a column; columns of numbers stand to the right."""
        return f'<th scope="col"{_alignment(tokens[idx])}>'

    def td_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Open a cell; numbers stand to the right."""
        return f"<td{_alignment(tokens[idx])}>"

    def text(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Write CO2e with its subscript."""
        return _chemistry(tokens[idx].content)

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Show an example as steps, a formula line by line, anything else as it stands."""
        token = tokens[idx]
        if token.info.strip() == KIND:
            return example_html(parse_example(token.content))
        if token.info.strip() == FORMULA:
            return formula_html(token.content)
        return f'<pre tabindex="0"><code>{escape(token.content)}</code></pre>\n'


def formula_html(block: str) -> str:
    """
    Show a formula: each line by itself, with its unit, which four spaces or more set apart, at the end.

    >>> formula_html("E_facility = E_it x PUE    kWh")
    '<div class="formula"><code><span>E_facility = E_it × PUE</span><span class="unit">kWh</span></code></div>\\n'
    """
    lines = []
    for line in block.splitlines():
        apart = _UNIT.fullmatch(line)
        text, unit = (apart["text"], apart["unit"]) if apart else (line, "")
        shown = f'<span class="unit">{_chemistry(unit)}</span>' if unit else ""
        lines.append(f"<code><span>{_chemistry(text).replace(' x ', ' × ')}</span>{shown}</code>")
    return f'<div class="formula">{"".join(lines)}</div>\n'


def example_html(example: Example) -> str:
    """Show an example: each step with its name, calculation and result, and where the results come from."""
    rows = []
    for step in example.steps:
        name = escape(step.name.replace("_", " "))
        result = f'<span class="result">{_chemistry(step.expected)}</span>' if step.expected is not None else ""
        rows.append(f'<li><span class="name">{name}</span><code>{escape(step.expression)}</code>{result}</li>')
    return (
        f'<ol class="worked">\n{"".join(rows)}\n</ol>\n'
        f'<p class="small muted">Expected values: {_chemistry(example.origin)}</p>\n'
    )


_NUMBERS: Final = "text-align:right"


def _alignment(token: Token) -> str:
    return ' class="num"' if token.attrGet("style") == _NUMBERS else ""


def _chemistry(text: str) -> str:
    return escape(text, quote=False).replace("CO2e", "CO<sub>2</sub>e")
