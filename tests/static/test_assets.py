"""What pages are sent: pinned, complete, small, and usable under the strict content security policy."""

import gzip
import re
import struct
from pathlib import Path

import brotli

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "static"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


def packed(*paths):
    """Bytes on the wire with brotli at the level that whitenoise uses."""
    return sum(len(brotli.compress(path.read_bytes())) for path in paths)


def characters(path):
    """Code points that a woff2 font maps: its cmap table, format 4 or 12."""
    data = path.read_bytes()
    count = struct.unpack(">H", data[12:14])[0]
    at, offset, cmap = 48, 0, (0, 0)
    for _ in range(count):
        flags, at = data[at], at + 1
        tag, at = (None, at) if flags & 63 != 63 else (data[at : at + 4], at + 4)
        sizes = []
        transformed = (flags >> 6) != 3 if flags & 63 in (10, 11) else (flags >> 6) != 0  # glyf and loca: 3 is none
        for _part in range(2 if transformed else 1):
            value = 0
            while True:
                byte, at = data[at], at + 1
                value = value << 7 | byte & 127
                if not byte & 128:
                    break
            sizes.append(value)
        if flags & 63 == 0 or tag == b"cmap":
            cmap = (offset, sizes[-1])
        offset += sizes[-1]
    table = brotli.decompress(data[at : at + struct.unpack(">I", data[20:24])[0]])[cmap[0] : sum(cmap)]
    found = set()
    for record in range(struct.unpack(">H", table[2:4])[0]):
        start = struct.unpack(">I", table[8 + 8 * record : 12 + 8 * record])[0]
        if struct.unpack(">H", table[start : start + 2])[0] != 4:
            continue
        segments = struct.unpack(">H", table[start + 6 : start + 8])[0] // 2
        ends = struct.unpack(f">{segments}H", table[start + 14 : start + 14 + 2 * segments])
        starts = struct.unpack(f">{segments}H", table[start + 16 + 2 * segments : start + 16 + 4 * segments])
        for first, last in zip(starts, ends, strict=True):
            found.update(range(first, last + 1))
    return found


def test_fonts_are_small_and_keep_the_glyphs_of_figures():
    fonts = sorted((STATIC / "fonts").glob("*.woff2"))

    assert len(fonts) == 2
    assert sum(font.stat().st_size for font in fonts) < 60_000
    sans = characters(STATIC / "fonts/source-sans-3.woff2")
    assert {ord(letter) for letter in "Aä€ß0\u2082\u202f\u2212\u2013"} <= sans


def test_styles_and_scripts_keep_their_budgets():
    scripts = sorted((STATIC / "js").glob("*.js"))

    assert len(scripts) >= 4
    assert packed(STATIC / "css/app.css") < 20_000
    assert packed(*scripts, *(STATIC / "vendor").glob("htmx@*/*.js")) < 40_000
    plotly = next((STATIC / "vendor").glob("plotly*/*.js"))
    assert len(gzip.compress(plotly.read_bytes())) < 510_000


def test_vendored_folders_are_the_pinned_ones_with_their_licence():
    pins = dict(
        re.findall(r'Pin\(\s*"[^"]+",\s*"([\d.]+)",\s*"[^"]+",\s*"([^"]+)"', (STATIC / "vendor/fetch.py").read_text())
    )
    expected = {f"{name}@{version}" for version, name in pins.items()}

    folders = [*(STATIC / "vendor").glob("*@*"), *(STATIC / "icons").glob("*@*"), *(ROOT / "tests/vendor").glob("*@*")]

    assert {folder.name for folder in folders} == expected
    assert all((folder / "LICENSE").is_file() for folder in folders)


def test_templates_name_files_that_exist():
    named = {path for template in TEMPLATES for path in re.findall(r'{% static "([^"]+)" %}', template.read_text())}

    assert len(named) > 8
    assert [path for path in sorted(named) if not (STATIC / path).is_file()] == []


def test_icons_in_use_are_in_the_sprite():
    symbols = set(re.findall(r'<symbol id="([\w-]+)"', (STATIC / "icons/sprite.svg").read_text()))
    used = {icon for template in TEMPLATES for icon in re.findall(r'sprite\.svg" %}#([\w-]+)"', template.read_text())}
    passed = {icon for template in TEMPLATES for icon in re.findall(r' icon="([\w-]+)"', template.read_text())}

    assert used
    assert used | passed <= symbols


def test_templates_carry_no_inline_style_or_script():
    assert len(TEMPLATES) > 20
    for template in TEMPLATES:
        text = template.read_text()
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=\"|javascript:|https?://cdn", text), template
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), template


def test_every_component_says_what_it_takes():
    components = sorted((ROOT / "templates/components").glob("*.html"))

    assert len(components) > 15
    assert [path.name for path in components if "{% comment %}" not in path.read_text()[:400]] == []


def test_plotly_finds_all_its_rules_in_the_style_sheet():
    rules = next((STATIC / "vendor").glob("plotly*/plotly.css")).read_text()

    assert rules.count("{") == 66 + 1  # as dumped, and the one for heat maps
