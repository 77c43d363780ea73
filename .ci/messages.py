"""
`make messages`: every text of pages into locale/, what is translated already kept, and the catalogues compiled.

Needs gettext (xgettext, msgmerge). The compiled catalogues lie in the repository, so nobody else does.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import django
import polib
from django.core.management import call_command
from django.core.management.commands.makemessages import Command

PROJECT = Path(__file__).resolve().parents[1]
LANGUAGES = ["de"]
LEFT_OUT = [".venv", "node_modules", "var", "static", "tests", "docs"]


class Messages(Command):
    """
    Charts are plain Python: they are given ``translate``, and mark with ``as_is`` what they look up later.

    ``_now`` is gettext in modules whose ``_`` is lazy.
    """

    xgettext_options: ClassVar = [*Command.xgettext_options, "--keyword=translate", "--keyword=as_is", "--keyword=_now"]


def texts_of_plain_parts() -> Iterator[str]:
    """Give the texts of parts that are plain Python, or a table: pages look them up where they show them."""
    from core.quantification import matching, notes
    from core.quantification.factor import MATCHES
    from core.quantification.factor_tables import TABLES
    from core.quantification.rejections import REASONS
    from ingestion import arrivals
    from ingestion.sources import registry
    from ingestion.sources.ai_services import rules
    from reporting.handbook.contents import contents
    from reporting.intensities.units import BUILT_IN, STANDARD
    from reporting.procurement.metrics import GRADES, METRICS
    from reporting.procurement.workloads import TEMPLATES

    yield from notes.TEXTS.values()
    yield from (text for reason in REASONS.values() for text in (reason.sentence, reason.remedy))
    yield from (table.about for table in TABLES.values())
    yield from dict.fromkeys(matching.CONFIDENCE.values())
    yield from MATCHES
    yield from arrivals.TONES
    yield from (registry.dropped(name) for name in registry.SOURCES)
    yield from (rule.reason for rule in rules())
    yield from (text for metric in METRICS.values() for text in (metric.label, metric.question))
    yield from GRADES.values()
    yield from (text for template in TEMPLATES.values() for text in (template.label, template.about))
    for group in contents():
        yield group.title
        yield from (text for entry in group.entries for text in (entry.title, entry.line))
    yield from (text for unit in BUILT_IN.values() for text in (unit.text, unit.counted))
    yield from (series.unit_text for series in STANDARD.values())


def main() -> int:
    """Renew and compile; returns the number of texts that wait for a translation."""
    os.chdir(PROJECT)
    sys.path.insert(0, str(PROJECT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    django.setup()
    found = PROJECT / "core" / "texts_of_plain_parts.py"  # gone again below
    found.write_text("".join(f"gettext({text!r})\n" for text in dict.fromkeys(texts_of_plain_parts()) if text))
    call_command(
        Messages(),
        locale=LANGUAGES,
        ignore_patterns=LEFT_OUT,
        no_location=True,
        no_wrap=True,
        no_obsolete=True,
        verbosity=0,
    )
    found.unlink()
    waiting = 0
    for path in sorted((PROJECT / "locale").glob("*/LC_MESSAGES/django.po")):
        catalogue = polib.pofile(str(path), wrapwidth=0)
        catalogue.metadata.pop("POT-Creation-Date", None)  # else every run would change the file
        catalogue.save(str(path))
        catalogue.save_as_mofile(str(path.with_suffix(".mo")))
        missing = [*catalogue.untranslated_entries(), *catalogue.fuzzy_entries()]
        sys.stdout.write("".join(f"{path.parent.parent.name}: {entry.msgid}\n" for entry in missing))
        waiting += len(missing)
    sys.stdout.write(f"{waiting} texts wait for a translation\n")
    return 1 if waiting else 0


if __name__ == "__main__":
    sys.exit(main())
