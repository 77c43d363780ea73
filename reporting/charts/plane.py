"""A plane to draw a server-made picture on: from values to pixels, with axes, bars, lines and hatched bands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from reporting.charts.svg import WIDTH, element, hatch, n, picture, shortened


@dataclass
class Plane:
    """
    Collects the parts of one picture.

    Args:
        name: begins the ids of the patterns, unique on the page.
        x: values at the left and the right edge of the plot.
        y: values at the bottom and the top; a larger one first puts rows from the top down.
        left, right, above, below: room around the plot. [px]
    """

    name: str
    x: tuple[float, float]
    y: tuple[float, float]
    height: int
    left: int = 48
    right: int = 8
    above: int = 8
    below: int = 28
    width: int = WIDTH
    parts: list[str] = field(default_factory=list)

    def px(self, value: float) -> float:
        """Pixel of a value across."""
        return self.left + (self.width - self.left - self.right) * (value - self.x[0]) / (self.x[1] - self.x[0])

    def py(self, value: float) -> float:
        """Pixel of a value from the top."""
        high = self.height - self.above - self.below
        return self.above + high * (1 - (value - self.y[0]) / (self.y[1] - self.y[0]))

    def grid_up(self, ticks: Iterable[tuple[float, str]], *, zero: float | None = 0.0, label: bool = True) -> None:
        """Draw horizontal grid lines with their numbers at the left."""
        for value, text in ticks:
            kind = "zero-line" if value == zero else "grid-line"
            self.segment((self.x[0], value), (self.x[1], value), kind)
            if label:
                self.text(text, self.left - 8, self.py(value) + 4, anchor="end")

    def grid_across(self, ticks: Iterable[tuple[float, str]], *, zero: float | None = 0.0, lines: bool = True) -> None:
        """Draw vertical grid lines with their texts at the foot."""
        for value, text in ticks:
            if lines:
                self.segment((value, self.y[0]), (value, self.y[1]), "zero-line" if value == zero else "grid-line")
            self.text(text, self.px(value), self.height - self.below + 18, anchor="middle")

    def titles(self, *, across: str = "", up: str = "") -> None:
        """Name the axes: below the plot, and above its left edge."""
        if across:
            self.text(across, (self.left + self.width - self.right) / 2, self.height - 6, anchor="middle")
        if up:
            self.text(up, 0, self.above - 8)

    def bar(self, x: tuple[float, float], y: tuple[float, float], *, gap: float = 0.0, **attributes: str) -> None:
        """Draw a rectangle between values, at least half a pixel in each direction, smaller by ``gap`` pixels across."""
        left, right = sorted(map(self.px, x))
        top, bottom = sorted(map(self.py, y))
        self.parts.append(
            element(
                "rect",
                **attributes,
                x=left + gap / 2,
                y=top,
                width=max(right - left - gap, 0.5),
                height=max(bottom - top, 0.5),
            )
        )

    def hatched(self, x: tuple[float, float], y: tuple[float, float], *, soft: bool = False) -> None:
        """Hatch what is missing, or softly what is provisional."""
        self.bar(x, y, fill=f"url(#{self.name}-{'soft' if soft else 'gap'})")

    def segment(self, start: tuple[float, float], end: tuple[float, float], kind: str) -> None:
        """Draw a straight line of a class."""
        self.parts.append(
            element(
                "line", class_=kind, x1=self.px(start[0]), x2=self.px(end[0]), y1=self.py(start[1]), y2=self.py(end[1])
            )
        )

    def line(self, points: Sequence[tuple[float, float | None]], kind: str, *, steps: bool = False) -> None:
        """Draw a line, in steps if told, broken where a value is unknown."""
        path, pen = "", False
        for value_x, value_y in points:
            if value_y is None:
                pen = False
                continue
            x, y = n(self.px(value_x)), n(self.py(value_y))
            path += (f"H{x}V{y}" if steps else f"L{x} {y}") if pen else f"M{x} {y}"
            pen = True
        if path:
            self.parts.append(element("path", class_=kind, d=path))

    def dot(self, x: float, y: float, radius: float, kind: str) -> None:
        """Draw a disc of a radius in pixels."""
        self.parts.append(element("circle", class_=kind, cx=self.px(x), cy=self.py(y), r=float(radius)))

    def text(self, text: str, x: float, y: float, *, anchor: str = "start", kind: str = "") -> None:
        """Write at a pixel."""
        self.parts.append(
            element(
                "text",
                escape(text.replace("CO2e", "CO\u2082e")),
                class_=kind or "plain",
                x=float(x),
                y=float(y),
                text_anchor=anchor,
            )
        )

    def row_label(self, label: str, row: float) -> None:
        """Name a row at its left."""
        self.text(shortened(label), self.left - 10, self.py(row) + 4, anchor="end", kind="strong")

    def svg(self) -> str:
        """Return the picture; patterns first, and only those that are used."""
        content = "".join(self.parts)
        patterns = [("soft", "var-ground", 6), ("gap", "hatch-line", 7)]
        used = [hatch(f"{self.name}-{key}", line, size) for key, line, size in patterns if f"-{key})" in content]
        return picture("".join(used) + content, self.width, self.height)
