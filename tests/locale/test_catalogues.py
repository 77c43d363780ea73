"""Every text of a page is in the catalogue of each language, whole, with what is filled in, and compiled as it stands."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = [code for code, _name in settings.LANGUAGES if code != "en"]
MARKS = {"gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "_", "_now", "translate", "as_is"}
FILLED_IN = re.compile(r"%\(\w+\)[sd]|\{\w*\}|%%|<[^>]+>")


def catalogue(language: str) -> polib.POFile:
    return polib.pofile(str(ROOT / "locale" / language / "LC_MESSAGES" / "django.po"))


def texts_of_python() -> Iterator[str]:
    """Find the first argument of each mark, as the parser reads it."""
    for folder in ("core", "ingestion", "reporting"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)):
                    continue
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in MARKS and isinstance(node.args[0].value, str):
                    yield node.args[0].value


def texts_of_templates() -> Iterator[str]:
    """Find what each template marks, as Django hands it to gettext."""
    for path in (ROOT / "templates").rglob("*.html"):
        code = templatize(path.read_text())
        for match in re.finditer(r"gettext(?:_noop)?\(\s*u?('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")", code):
            yield ast.literal_eval(match[1])
        for match in re.finditer(r"(?<![\w.])_\(\s*(\"[^\"]*\"|'[^']*')\s*\)", code):
            yield ast.literal_eval(match[1])


def test_there_is_a_language_beside_english() -> None:
    assert "de" in LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_code_is_translated(language: str) -> None:
    ready = {entry.msgid for entry in catalogue(language).translated_entries()}
    python, templates = set(texts_of_python()), set(texts_of_templates())

    assert len(python) > 500
    assert len(templates) > 500
    assert sorted((python | templates) - ready) == [], "run `make messages`, then translate these in locale/"


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_waits_in_the_catalogue(language: str) -> None:
    entries = catalogue(language)

    assert [entry.msgid for entry in (*entries.untranslated_entries(), *entries.fuzzy_entries())] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_fill_in_the_same(language: str) -> None:
    wrong = []
    for entry in catalogue(language):
        forms = {0: (entry.msgid, entry.msgstr)}
        if entry.msgid_plural:
            forms = {n: (entry.msgid_plural if n else entry.msgid, form) for n, form in entry.msgstr_plural.items()}
        for said, translated in forms.values():
            same = Counter(FILLED_IN.findall(said)) == Counter(FILLED_IN.findall(translated))
            edges = [(text[:1].isspace(), text[-1:].isspace()) for text in (said, translated)]
            if not same or edges[0] != edges[1]:
                wrong.append((said, translated))

    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_the_written_one(language: str) -> None:
    compiled = ROOT / "locale" / language / "LC_MESSAGES" / "django.mo"

    assert compiled.read_bytes() == catalogue(language).to_binary(), "run `make messages`"
