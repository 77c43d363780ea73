"""Running totals: whatever the order, the repetition and the restarts, what was used counts once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingestion.sources.counters import Key, Kind, Memory, Reading

SERIES = "0" * 32


def used(readings: list[tuple[Key, Reading]], memory: Memory | None = None) -> float:
    known = memory or Memory()
    steps = [known.advance(key, reading) for key, reading in readings]
    return sum(step.value for step in steps if step.kind is Kind.USE)


@st.composite
def lives(draw: st.DrawFn) -> list[list[tuple[Key, Reading]]]:
    """Make the readings of one series over some lives of its process, each counting up from its own start."""
    found, start_ns = [], 1_000
    for _ in range(draw(st.integers(1, 3))):
        time_ns, value, readings = start_ns, 0, []
        for step_ns, added in draw(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 90)), min_size=1, max_size=6)):
            time_ns, value = time_ns + step_ns, value + added
            readings.append(((SERIES, start_ns), Reading(time_ns, float(value), value // 3)))
        found.append(readings)
        start_ns = time_ns + draw(st.integers(0, 40))
    return found


@given(lives(), st.randoms(use_true_random=False), st.integers(1, 3))
def test_any_order_and_any_repetition_give_what_every_life_used(lives: list[list], random, copies: int) -> None:  # type: ignore[no-untyped-def, type-arg]
    readings = [reading for life in lives for reading in life] * copies
    random.shuffle(readings)

    assert used(readings) == sum(life[-1][1].value for life in lives)


@given(lives())
def test_intervals_of_one_life_meet_without_gap_or_overlap(lives: list[list]) -> None:  # type: ignore[type-arg]
    memory = Memory()
    for life in lives:
        ends = life[0][0][1]
        for key, reading in life:
            step = memory.advance(key, reading)
            assert (step.kind, step.start_ns) == (Kind.USE, ends)
            ends = reading.time_ns


def test_smaller_value_under_the_same_start_is_a_reset() -> None:
    readings = [Reading(200, 10.0, 4), Reading(300, 3.0, 1), Reading(400, 5.0, 2)]

    assert used([((SERIES, 100), reading) for reading in readings]) == 10 + 3 + 2


def test_fewer_observations_are_a_reset_even_where_their_sum_is_larger() -> None:
    readings = [Reading(200, 10.0, 4), Reading(300, 30.0, 1)]

    assert used([((SERIES, 100), reading) for reading in readings]) == 10 + 30


def test_counter_of_unknown_start_counts_from_its_first_reading() -> None:
    memory = Memory()

    first = memory.advance((SERIES, 0), Reading(200, 1_000_000.0))
    second = memory.advance((SERIES, 0), Reading(260, 1_000_007.0))

    assert first.kind is Kind.FIRST
    assert (second.start_ns, second.value) == (200, 7.0)


def test_reading_at_its_own_start_only_sets_the_line() -> None:
    assert Memory().advance((SERIES, 200), Reading(200, 55.0)).kind is Kind.FIRST


def test_memory_asks_once_for_each_counter_and_tells_what_changed() -> None:
    asked: list[Key] = []

    def ask(keys):  # type: ignore[no-untyped-def]
        asked.extend(keys)
        return {(SERIES, 100): Reading(200, 10.0)}

    memory = Memory(ask)
    memory.recall([(SERIES, 100), (SERIES, 101)])
    step = memory.advance((SERIES, 100), Reading(300, 12.0))
    memory.advance((SERIES, 100), Reading(250, 11.0))

    assert sorted(asked) == [(SERIES, 100), (SERIES, 101)]
    assert step.value == 2.0
    assert memory.changed == {(SERIES, 100): Reading(300, 12.0)}
