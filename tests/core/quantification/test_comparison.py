"""Which option is better once what they share is taken out (methodology 9.5)."""

import math

import numpy as np
import pytest

from core.quantification.bounds import Z, gsd_interval
from core.quantification.comparison import Option, compare
from core.quantification.intervals import draws_of

NO_WIDTHS = np.zeros((1, 4))


def option(name: str, value: float, gsd: float, *, group: str, zone: str = "DE", grid_gsd: float = 1.0) -> Option:
    """One method's estimate with its own spread, in a zone whose grid has one too."""
    both = math.exp(math.hypot(math.log(gsd), math.log(grid_gsd)))
    low, high = (np.array([end]) for end in gsd_interval(value, both))
    widths = np.array([[Z * math.log(grid_gsd)] * 2 + [0.0, 0.0]])
    shared = {"tokens a": math.log(2.0)}  # a token's spread as such; a size that nobody disclosed makes it 2.75
    made = draws_of(name, np.array([value]), low, high, widths, zone=[zone], group=[group], method_sigma=shared)
    return Option(name, value, made)


def test_methods_of_their_own_spread_the_ratio_by_both() -> None:
    """Two independent GSDs of 1.3: the ratio's is exp(sqrt(2) ln 1.3) = 1.4493, so 2 becomes 2 / and x 2.0697."""
    found = compare([option("a", 1.0, 1.3, group="tokens a"), option("b", 2.0, 1.3, group="tokens b")])

    assert found is not None
    assert found.best == "a"
    assert found.others[0].low == pytest.approx(2 / 2.0697, rel=0.03)
    assert found.others[0].high == pytest.approx(2 * 2.0697, rel=0.03)
    assert not found.distinguishable


def test_what_both_share_cancels() -> None:
    """The same method and family on the same grid: each range is wide, the ratio has none."""
    found = compare([option("a", 1.0, 2.0, group="tokens a"), option("b", 1.1, 2.0, group="tokens a")])

    assert found is not None
    assert found.others[0].low == pytest.approx(1.1, rel=1e-3)
    assert found.distinguishable


def test_a_size_that_nobody_disclosed_is_each_ones_own() -> None:
    """Of 2.75, 2.0 is shared: exp(sqrt(ln(2.75)^2 - ln(2)^2)) = 2.0893 is not, of two 2.8349, and 2.8349^1.96 = 7.708."""
    found = compare([option("a", 1.0, 2.75, group="tokens a"), option("b", 1.1, 2.75, group="tokens a")])

    assert found is not None
    assert found.others[0].high == pytest.approx(1.1 * 7.708, rel=0.05)
    assert not found.distinguishable


def test_a_shared_grid_cancels_and_the_methods_stay() -> None:
    """A grid of GSD 1.5 alone would hide a factor of 1.4; the meters of GSD 1.05 do not."""
    shared = {"gsd": 1.05, "grid_gsd": 1.5}
    same = compare([option("a", 1.0, group="measured a", **shared), option("b", 1.4, group="measured b", **shared)])
    apart = compare(
        [option("a", 1.0, group="measured a", **shared), option("b", 1.4, group="measured b", zone="FR", **shared)]
    )

    assert same is not None
    assert same.distinguishable
    assert apart is not None
    assert not apart.distinguishable


def test_the_best_is_named_only_where_it_beats_every_other() -> None:
    near, far = option("near", 1.2, 1.3, group="b"), option("far", 9.0, 1.3, group="c")

    found = compare([far, option("best", 1.0, 1.3, group="a"), near])

    assert found is not None
    assert [(each.name, each.distinguishable) for each in found.others] == [("near", False), ("far", True)]
    assert not found.distinguishable


def test_one_option_is_no_comparison() -> None:
    assert compare([option("a", 1.0, 1.3, group="a"), Option("none", 0.0, np.zeros(10))]) is None


def test_items_without_a_positive_value_draw_nothing() -> None:
    nothing = np.array([np.nan])

    drawn = draws_of("a", *[nothing] * 3, NO_WIDTHS, zone=["DE"], group=["a"], method_sigma={})

    assert drawn.tolist() == [0.0] * 10_000
