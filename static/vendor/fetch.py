"""Fetch the third-party files of the pages: run ``python static/vendor/fetch.py`` after a pin changes.

Each package comes from npm by name and version (``npm pack``), and only the files in use are kept, in
``<folder>/<name>@<version>/`` with the licence beside them. Templates name the same folders; a test compares the two.
The icons used are put into one sprite; the style rules that Plotly would inject at run time, which a strict content
security policy forbids, are dumped to a style sheet. Fonts are cut by ``static/fonts/subset.py``.
"""

from __future__ import annotations

import re
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
SVG = "http://www.w3.org/2000/svg"


@dataclass(frozen=True)
class Pin:
    """One npm package at one version, and where its files go."""

    package: str
    version: str
    folder: str  # under the repository's root; "name@version" is added
    name: str
    files: tuple[str, ...]

    @property
    def target(self) -> Path:
        """Folder of the vendored files."""
        return ROOT / self.folder / f"{self.name}@{self.version}"


HTMX = Pin("htmx.org", "4.0.1", "static/vendor", "htmx", ("dist/htmx.min.js", "LICENSE"))
PLOTLY = Pin(
    "plotly.js-cartesian-dist-min",
    "4.1.1",
    "static/vendor",
    "plotly.js-cartesian",
    ("plotly-cartesian.min.js", "LICENSE"),
)
AXE = Pin("axe-core", "4.14.1", "tests/vendor", "axe-core", ("axe.min.js", "LICENSE", "LICENSE-3RD-PARTY.txt"))
LUCIDE = Pin("lucide-static", "1.62.0", "static/icons", "lucide", ("LICENSE",))

ICONS = (
    "arrow-down",
    "arrow-right",
    "arrow-up",
    "check",
    "chevron-down",
    "chevron-left",
    "chevron-right",
    "circle-check",
    "circle-help",
    "circle-x",
    "copy",
    "download",
    "file-text",
    "image",
    "info",
    "link",
    "log-out",
    "menu",
    "moon",
    "plus",
    "printer",
    "rotate-cw",
    "search",
    "sun",
    "sun-moon",
    "table",
    "triangle-alert",
    "upload",
    "user",
    "x",
)


def main() -> None:
    """Fetch every pin, then derive the sprite and the style sheet."""
    for pin in (HTMX, PLOTLY, AXE):
        with tempfile.TemporaryDirectory() as scratch:
            keep(unpack(pin, Path(scratch)), pin)
    (PLOTLY.target / "plotly.css").write_text(style_sheet((PLOTLY.target / "plotly-cartesian.min.js").read_text()))
    with tempfile.TemporaryDirectory() as scratch:
        package = unpack(LUCIDE, Path(scratch))
        keep(package, LUCIDE)
        (ROOT / "static/icons/sprite.svg").write_text(sprite({name: package / f"icons/{name}.svg" for name in ICONS}))


def unpack(pin: Pin, scratch: Path) -> Path:
    """Return the folder of the unpacked package."""
    subprocess.run(
        ["npm", "pack", f"{pin.package}@{pin.version}", "--silent"],
        cwd=scratch,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (archive,) = scratch.glob("*.tgz")
    with tarfile.open(archive) as opened:
        opened.extractall(scratch, filter="data")
    return scratch / "package"


def keep(package: Path, pin: Pin) -> None:
    """Copy the pinned files; source map comments go, since the maps are not shipped."""
    pin.target.mkdir(parents=True, exist_ok=True)
    for file in pin.files:
        text = re.sub(r"\n?//# sourceMappingURL=\S+\s*$", "\n", (package / file).read_text())
        (pin.target / Path(file).name).write_text(text)


def style_sheet(plotly: str) -> str:
    """
    Read the rules that Plotly injects through ``addStyleRule`` out of its minified source.

    Raises:
        ValueError: the rules are not where they were; look at plotly.js ``src/plots/../build/plotcss.js`` again.
    """
    found = re.search(r"\{\"X,X div\":.*?\};", plotly, flags=re.DOTALL)
    if not found:
        raise ValueError("Plotly's style rules were not found: its build has changed, adapt style_sheet()")
    text = r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'"
    rules = re.findall(rf"(?:{text}|(\w+)):(?:{text})", found[0])
    lines = []
    for double_key, single_key, bare_key, double_body, single_body in rules:
        selector = (double_key or single_key or bare_key).replace("X", ".js-plotly-plot .plotly")
        lines.append(f"{selector.replace('Y', '.plotly-notifier')}{{{double_body or single_body}}}")
    lines.append(".js-plotly-plot .heatmaplayer image{image-rendering:pixelated}")
    return (
        f"/* Plotly.js {PLOTLY.version}, its injected rules, dumped by static/vendor/fetch.py. MIT. */\n"
        + "\n".join(lines)
        + "\n"
    )


def sprite(files: dict[str, Path]) -> str:
    """Join icon files into one SVG of symbols, addressed as ``sprite.svg#name``."""
    ElementTree.register_namespace("", SVG)
    symbols = []
    for name, file in files.items():
        root = ElementTree.fromstring(file.read_text())  # noqa: S314  our own pinned package
        shapes = "".join(ElementTree.tostring(shape, encoding="unicode").strip() for shape in root)
        shapes = shapes.replace(f' xmlns="{SVG}"', "").replace(" />", "/>")
        symbols.append(
            f'<symbol id="{name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
            f'stroke-linecap="round" stroke-linejoin="round">{shapes}</symbol>'
        )
    return f'<svg xmlns="{SVG}"><!-- lucide-static {LUCIDE.version}, ISC -->\n' + "\n".join(symbols) + "\n</svg>\n"


if __name__ == "__main__":
    main()
