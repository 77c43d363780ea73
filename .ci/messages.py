"""
`make messages`: every text of pages into locale/, what is translated already kept, and the catalogues compiled.

Needs gettext (xgettext, msgmerge). The compiled catalogues lie in the repository, so nobody else does.
"""

import os
import sys
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
    """Charts are plain Python: they are given ``translate``, and mark what they look up later with ``as_is``."""

    xgettext_options: ClassVar = [*Command.xgettext_options, "--keyword=translate", "--keyword=as_is"]


def main() -> int:
    """Renew and compile; returns the number of texts that wait for a translation."""
    os.chdir(PROJECT)
    sys.path.insert(0, str(PROJECT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    django.setup()
    call_command(
        Messages(),
        locale=LANGUAGES,
        ignore_patterns=LEFT_OUT,
        no_location=True,
        no_wrap=True,
        no_obsolete=True,
        verbosity=0,
    )
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
