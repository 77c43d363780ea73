# /// script
# requires-python = ">=3.11"
# dependencies = ["fonttools[woff]>=4.59"]
# ///
"""Cut the fonts to the languages offered: run ``uv run static/fonts/subset.py`` after a pin or the characters change.

Source Sans 3 (npm ``source-sans``) and IBM Plex Mono (npm ``@ibm/plex-mono``), both SIL Open Font License 1.1. All
fonts of a page together stay under 60 kB; U+2082 (subscript two) and U+202F (narrow no-break space) must survive.
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

HERE = Path(__file__).resolve().parent

# English, German, French and their neighbours in Latin-1, and what figures need: subscripts, dashes, spaces, arrows.
CHARACTERS = [
    *(*range(0x20, 0x7F), *range(0xA0, 0x100), 0x152, 0x153, 0x178, 0x1E9E),
    *(0x2009, 0x2010, 0x2011, 0x2013, 0x2014, 0x2018, 0x2019, 0x201A, 0x201C, 0x201D, 0x201E, 0x2022, 0x2026),
    *(0x202F, 0x2030, 0x2039, 0x203A, 0x2080, 0x2081, 0x2082, 0x2083, 0x20AC),
    *(0x2190, 0x2191, 0x2192, 0x2193, 0x2212, 0x2248, 0x2260, 0x2264, 0x2265, 0x25B2, 0x25BC, 0x2713),
]
CODE = [*range(0x20, 0x7F), 0xA0, 0xB7, 0x2013, 0x2026, 0x202F, 0x2192, 0x2212]


def main() -> None:
    """Write the two woff2 files and their licences beside this script."""
    with tempfile.TemporaryDirectory() as scratch:
        sans = unpack("source-sans", "3.52.0", Path(scratch) / "sans")
        font = TTFont(sans / "VF/SourceSans3VF-Upright.ttf")
        cut(font, CHARACTERS, ["ccmp", "kern", "locl", "mark", "mkmk"], HERE / "source-sans-3.woff2")
        (HERE / "LICENSE.source-sans.md").write_text((sans / "LICENSE.md").read_text())

        mono = unpack("@ibm/plex-mono", "2.5.0", Path(scratch) / "mono")
        font = TTFont(mono / "fonts/complete/woff2/IBMPlexMono-Regular.woff2")
        cut(font, CODE, ["ccmp"], HERE / "ibm-plex-mono.woff2")
        (HERE / "LICENSE.ibm-plex-mono.txt").write_text((mono / "LICENSE.txt").read_text())


def unpack(package: str, version: str, folder: Path) -> Path:
    """Return the folder of the unpacked npm package."""
    folder.mkdir()
    subprocess.run(
        ["npm", "pack", f"{package}@{version}", "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder / "package"


def cut(font: TTFont, characters: list[int], features: list[str], target: Path) -> None:
    """Keep the characters and features, unhinted, as woff2."""
    options = subset.Options(
        layout_features=features, hinting=False, desubroutinize=True, name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14]
    )
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=characters)
    cutter.subset(font)
    if "fvar" in font:
        instancer.instantiateVariableFont(font, {"wght": (400, 700)}, inplace=True)
    font.flavor = "woff2"
    font.save(target)


if __name__ == "__main__":
    main()
