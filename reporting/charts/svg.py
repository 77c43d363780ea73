"""Pictures made by the server: the chart of a page without scripts or on paper, and the bars and sparklines in rows.

Colours are classes (``c-series-1``) that app.css fills from its tokens, so one picture serves both themes and print; no style
attributes, which the content security policy forbids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 760


@dataclass(frozen=True)
class Block:
    """One series of a stacked bar chart: values per slot in the shown unit, None where unknown."""

    token: str
    values: Sequence[float | None]


def n(value: float) -> str:
    """Write a coordinate, at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def element(tag: str, content: str = "", **attributes: object) -> str:
    """
    Write one element; underscores in attribute names become hyphens, text is expected escaped.

    >>> element("rect", class_="c-other", x=1)
    '<rect class="c-other" x="1"/>'
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(n(value) if isinstance(value, float) else str(value))}"'
        for name, value in attributes.items()
    )
    return f"<{tag}{written}>{content}</{tag}>" if content else f"<{tag}{written}/>"


def stacked(
    *,
    name: str,
    blocks: Sequence[Block],
    labels: Sequence[str],
    top: float,
    ticks: Sequence[tuple[float, str]],
    target: Sequence[float | None] = (),
    target_label: str = "",
    target_label_at: float | None = None,
    provisional: Sequence[bool] = (),
    gaps: Sequence[bool] = (),
    height: int = 300,
    right: int = 90,
    above: int = 8,
    over: str = "",
) -> str:
    """
    Draw stacked bars over slots, hatched where provisional, with a dashed target line and bands where data is missing.

    Args:
        name: begins the ids of the patterns, unique on the page.
        labels: of the slots, "" where the axis stays empty.
        top: end of the axis, shown unit.
        ticks: (value, text) of the axis.
        target_label_at: height of the line's label, shown unit; at the line's end without.
        over: safe parts that are laid over the bars.
    """
    left, below = 48, 28
    wide, high = WIDTH - left - right, height - above - below
    slot = wide / max(len(labels), 1)
    bar = min(slot * 0.74, 64)

    def y(value: float) -> float:
        return above + high * (1 - value / top)

    parts = [hatch(f"{name}-soft", "var-ground", 6), hatch(f"{name}-gap", "hatch-line", 7)]
    for value, text in ticks:
        parts.append(
            element(
                "line", class_="grid-line" if value else "zero-line", x1=left, x2=left + wide, y1=y(value), y2=y(value)
            )
        )
        parts.append(element("text", escape(text), x=left - 8, y=y(value) + 4, text_anchor="end"))
    for position, label in enumerate(labels):
        middle = left + slot * (position + 0.5)
        if label:
            parts.append(element("text", escape(label), x=middle, y=height - 8, text_anchor="middle"))
        if position < len(gaps) and gaps[position]:
            parts.append(
                element("rect", x=middle - slot / 2, y=above, width=slot, height=high, fill=f"url(#{name}-gap)")
            )
        base = 0.0
        for block in blocks:
            known = block.values[position]
            if known is None or known <= 0:
                continue
            tall = high * known / top
            parts.append(
                element(
                    "rect",
                    class_=f"c-{block.token}",
                    x=middle - bar / 2,
                    y=y(base + known),
                    width=bar,
                    height=max(tall - (1 if tall > 2 and base else 0), 0.5),
                )
            )
            base += known
        if base and position < len(provisional) and provisional[position]:
            parts.append(
                element(
                    "rect",
                    x=middle - bar / 2,
                    y=y(base),
                    width=bar,
                    height=high * base / top,
                    fill=f"url(#{name}-soft)",
                )
            )
    points = [(left + slot * (i + 0.5), y(value)) for i, value in enumerate(target) if value is not None]
    steps = "".join(
        f"M{n(px)} {n(py)}" if i == 0 else f"H{n((px + points[i - 1][0]) / 2)}V{n(py)}H{n(px)}"
        for i, (px, py) in enumerate(points)
    )
    if points:
        height_of_label = points[-1][1] if target_label_at is None else y(target_label_at)
        parts.append(element("path", class_="target-line", d=steps))
        parts.append(element("text", escape(target_label), class_="strong", x=left + wide + 6, y=height_of_label + 4))
    return picture("".join(parts) + over, WIDTH, height)


def horizontal(
    *,
    rows: Sequence[tuple[str, float | None, str, str]],
    top: float,
    spans: Sequence[tuple[float, float] | None] = (),
    row_height: int = 28,
    left: int = 190,
) -> str:
    """
    Draw horizontal bars from zero: (label, value in the shown unit, text at the end, colour token), whiskers for ranges.
    """
    right = 110
    wide = WIDTH - left - right
    parts = []
    for position, (label, value, text, token) in enumerate(rows):
        above = position * row_height
        middle = above + row_height / 2
        parts.append(
            element("text", escape(shortened(label)), class_="strong", x=left - 10, y=middle + 4, text_anchor="end")
        )
        end = left + wide * max(value or 0.0, 0.0) / top
        if value:
            parts.append(
                element(
                    "rect", class_=f"c-{token}", x=left, y=above + 5, width=max(end - left, 1), height=row_height - 10
                )
            )
        reach = end
        span = spans[position] if position < len(spans) else None
        if span:
            low, high = (left + wide * min(edge, top) / top for edge in span)
            parts.append(element("path", class_="target-line whisker", d=f"M{n(low)} {n(middle)}H{n(high)}"))
            reach = max(reach, high)
        parts.append(element("text", escape(text), x=reach + 8, y=middle + 4))
    parts.append(element("line", class_="zero-line", x1=left, x2=left, y1=0, y2=len(rows) * row_height))
    return picture("".join(parts), WIDTH, max(len(rows), 1) * row_height)


def cell_bar(share: float) -> str:
    """
    Draw the bar behind a table cell: weak fill up to ``share`` (0 to 1) of the column's largest, a firm edge at its start.

    >>> cell_bar(0.42)
    '<svg aria-hidden="true" focusable="false"><rect width="42%" height="100%"/><rect width="3" height="100%"/></svg>'
    """
    width = n(100 * min(max(share, 0.0), 1.0))
    return (
        f'<svg aria-hidden="true" focusable="false"><rect width="{width}%" height="100%"/>'
        '<rect width="3" height="100%"/></svg>'
    )


def sparkline(values: Sequence[float | None], top: float | None = None) -> str:
    """
    Draw small bars from zero, one per slot; a slot without data stays empty above a dotted foot.

    Args:
        top: value of a full bar, the same for pictures that are compared; default: the largest.
    """
    known = [value for value in values if value is not None]
    top = top or max(known, default=0.0) or 1.0
    step = 96 / max(len(values), 1)
    bars = "".join(
        element(
            "rect", x=i * step, y=22 - 20 * value / top, width=max(step - 1, 1.0), height=max(20 * value / top, 0.75)
        )
        if value is not None
        else element(
            "path", d=f"M{n(i * step)} 22h{n(max(step - 1, 1.0))}", stroke="currentColor", stroke_dasharray="1 1.5"
        )
        for i, value in enumerate(values)
    )
    return f'<svg class="sparkline" viewBox="0 0 96 24" aria-hidden="true" focusable="false">{bars}</svg>'


def hatch(identifier: str, line: str, size: int) -> str:
    """Define diagonal hatching as a pattern."""
    stripe = element("path", class_=line, d=f"M-1,1l2,-2M0,{size}l{size},-{size}M{size - 1},{size + 1}l2,-2")
    return element(
        "defs", element("pattern", stripe, id=identifier, width=size, height=size, patternUnits="userSpaceOnUse")
    )


def picture(content: str, width: int, height: int) -> str:
    """Wrap the parts; the words stand beside the picture, so it is hidden from screen readers."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" aria-hidden="true" focusable="false">'
        f"{content}</svg>"
    )


def shortened(label: str, most: int = 28) -> str:
    """Cut a long label; its whole text is in the table."""
    return label if len(label) <= most else label[: most - 1] + "\u2026"
