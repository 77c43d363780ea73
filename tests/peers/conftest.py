"""The shipped factor pack, read once, and one record by its columns."""

from __future__ import annotations

import pytest

from core.factors.pack import load_pack
from tests.one_record import One, quantify_record


@pytest.fixture(scope="session")
def pack():
    return load_pack()


@pytest.fixture
def one(pack):
    """Quantify one record given by its columns; what is not said is absent."""

    def run(*, factors=None, **record) -> One:
        record = {"stage": "training", "hosting": "owned", "evidence": "measured", "techniques": (), **record}
        return quantify_record(record, pack, factors=factors)

    return run
