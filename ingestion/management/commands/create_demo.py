"""manage.py create_demo"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.logging import quietly
from core.organizations.services import OrganizationError
from ingestion.demo import organization as demo


class Command(BaseCommand):
    help = (
        "Make the demo organization with a year of believable activity up to now, through the same inbox as anybody's; "
        "where it is complete already, only tell its logins."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        if not demo.is_complete():
            try:
                with quietly(options["verbosity"]):
                    made = demo.create_demo(datetime.now(UTC))
            except OrganizationError as error:
                raise CommandError(str(error)) from error
            counts = ", ".join(f"{name} {count}" for name, count in made.counts.items())
            if options["verbosity"] > 1:
                self.stderr.write(f"{counts}; {time.monotonic() - started:.1f} s")
        self.stdout.write(f"Demo organization {demo.NAME}; everybody's password is {demo.PASSWORD}")
        for email, name, role, _team in demo.PEOPLE:
            self.stdout.write(f"  {email:<22} {name}, {role.label.lower()}")
