"""The score of a total weighs its parts."""

from __future__ import annotations

import pytest

from core.quantification.data_quality import data_quality_score


def test_score_of_nothing_is_refused():
    with pytest.raises(ValueError, match="weigh"):
        data_quality_score([])
