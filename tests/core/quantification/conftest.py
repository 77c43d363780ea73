"""The shipped factor pack, read once, and one-line activity for tests of the core."""

from __future__ import annotations

import pytest

from core.factors.pack import load_pack
from core.quantification.methods import LATEST
from tests.one_record import One, quantify_record


@pytest.fixture(scope="session")
def pack():
    return load_pack()


@pytest.fixture
def one(pack):
    """Quantify one record given by its columns; what is not said is absent."""

    def run(*, factors=None, methodology=LATEST, year=2026, within=None, **record) -> One:
        record = {"stage": "training", "hosting": "owned", "evidence": "measured", "techniques": (), **record}
        return quantify_record(record, within or pack, methodology=methodology, factors=factors, year=year)

    return run
