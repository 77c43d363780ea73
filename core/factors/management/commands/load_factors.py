"""manage.py load_factors"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.factors import services
from core.factors.pack import load_pack


class Command(BaseCommand):
    help = "Load the factor tables that ship with the product as a factor set. Does nothing when they are there."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            loaded = services.load_factor_set(load_pack())
        except services.FactorSetNameTaken as error:
            raise CommandError(str(error)) from error
        name, content_hash = loaded.factor_set.name, loaded.factor_set.content_hash
        if loaded.created:
            self.stdout.write(f"Factor set {name} loaded ({loaded.new_tables} new tables, {content_hash}).")
        else:
            self.stdout.write(f"Factor set {name} is there ({content_hash}).")
