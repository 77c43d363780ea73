"""The gallery: every component is on it, and renders."""

import re
from pathlib import Path

from django.contrib.auth.models import AnonymousUser

from reporting.pages.gallery import gallery

COMPONENTS = Path(__file__).resolve().parents[3] / "templates/components"


def page(rf):
    """The gallery's HTML."""
    request = rf.get("/system/gallery/")
    request.user = AnonymousUser()
    return gallery(request).content.decode()


def test_every_component_is_in_use():
    texts = {path: path.read_text() for path in COMPONENTS.parent.rglob("*.html")}
    names = sorted(path.name for path in COMPONENTS.glob("*.html") if path.name != "gallery.html")

    included = {name for text in texts.values() for name in re.findall(r'{% include "components/([\w.]+)"', text)}

    assert len(names) > 20
    assert [name for name in names if name not in included] == []


def test_it_renders_without_scripts_to_pictures_tables_and_words(rf):
    html = page(rf)

    assert html.count('<div class="plot-static"><svg') == html.count("data-chart=") > 30
    assert html.count("<caption>") == html.count("data-chart=")
    assert "Emissions stay 1.6\u202f% below the target" in html
    assert "CO<sub>2</sub>e" in html
    assert " style=" not in html


def test_ids_are_unique(rf):
    ids = re.findall(r'\sid="([^"]+)"', page(rf))

    assert len(ids) > 10
    assert sorted(ids) == sorted(set(ids))
