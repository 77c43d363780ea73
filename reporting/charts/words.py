"""What a stacked trend says: the finding as its title, and two sentences for people who do not see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from reporting import figures
from reporting.charts.chart import Translate, as_is
from reporting.charts.overlays import Overlays
from reporting.charts.stack import Stack

SHORTEST_RUN: Final = 3  # slots above the target in a row that are a finding rather than a bad week


def finding(
    stack: Stack,
    ticks: Sequence[str],
    *,
    complete: Sequence[bool],
    noun: str,
    names: Mapping[str, str],
    previous: float | None = None,
    locale: str = "en",
    translate: Translate = as_is,
) -> str:
    """
    Say in one line what the chart shows; the first rule that holds speaks, else a plain noun.

    1. Against the target: the run of last complete slots above it, else the whole period above or below it.
    2. Against the comparison period, where a percentage is allowed and the period is complete.
    3. A series that makes 40 % or more.
    """
    _ = translate
    totals = stack.totals

    def deviation(chosen: Sequence[int]) -> float:
        return float(totals.iloc[list(chosen)].sum() / stack.target.iloc[list(chosen)].sum() - 1)  # type: ignore[union-attr]

    if stack.target is not None:
        both = [
            i for i in range(len(totals)) if complete[i] and pd.notna(totals.iloc[i]) and pd.notna(stack.target.iloc[i])
        ]
        above = [i for i in both if totals.iloc[i] > stack.target.iloc[i]]
        run: list[int] = []
        for i in reversed(both):
            if i not in above:
                break
            run.insert(0, i)
        if SHORTEST_RUN <= len(run) < len(both) and deviation(run) >= 0.005:
            share = figures.percent(deviation(run), locale=locale)
            return _("{noun} run {share} above the target since {slot}").format(
                noun=noun, share=share, slot=ticks[run[0]]
            )
        if both and stack.target.iloc[both].sum() > 0 and abs(deviation(both)) >= 0.005:
            share = figures.percent(abs(deviation(both)), locale=locale)
            text = (
                _("{noun} run {share} above the target")
                if deviation(both) > 0
                else _("{noun} stay {share} below the target")
            )
            return text.format(noun=noun, share=share)
    if previous is not None and all(complete):
        change = figures.change(float(totals.sum()), previous, locale=locale, translate=_)
        if change.direction in ("up", "down"):
            text = _("{noun} rose {share}") if change.direction == "up" else _("{noun} fell {share}")
            return text.format(noun=noun, share=change.text)
    sums = stack.values.sum()
    if len(sums) > 1 and sums.sum() > 0 and sums.max() / sums.sum() >= 0.4 and sums.idxmax() != "other":
        share = figures.percent(float(sums.max() / sums.sum()), locale=locale)
        return _("{series} makes {share} of the total").format(series=names[str(sums.idxmax())], share=share)
    return _("{noun} over time").format(noun=noun)


def heading_for(stack: Stack, overlays: Overlays, noun: str, locale: str, translate: Translate) -> str:
    """
    Say where the period will end against its target if it goes on like this; nothing without a projection or a target.

    Slots that have ended count as they are, the others as projected.
    """
    _ = translate
    if stack.target is None or overlays.projection is None:
        return ""
    projected = overlays.projection["value"].reindex(stack.values.index)
    expected = projected.where(projected.notna(), stack.totals)
    both = expected.notna() & stack.target.notna()
    limit = float(stack.target[both].sum())
    deviation = float(expected[both].sum()) / limit - 1 if limit > 0 else 0.0
    if abs(deviation) < 0.005:
        return ""
    share = figures.percent(abs(deviation), locale=locale)
    text = (
        _("{noun} are heading for {share} above the target")
        if deviation > 0
        else _("{noun} are heading for {share} below the target")
    )
    return text.format(noun=noun, share=share)


def summary(
    title: str,
    stack: Stack,
    slot_labels: Sequence[str],
    kind: figures.Kind,
    scale: figures.Scale,
    unit: str,
    locale: str,
    translate: Translate,
) -> str:
    """Say the finding and the extremes, for people who do not see the picture."""
    _ = translate
    totals = {i: float(total) for i, total in enumerate(stack.totals) if pd.notna(total)}
    if not totals:
        return _("{title}. There is no data in this period.").format(title=title)
    most, least = max(totals, key=totals.__getitem__), min(totals, key=totals.__getitem__)
    return _("{title}. Highest: {most} with {high} {unit}; lowest: {least} with {low} {unit}.").format(
        title=title,
        most=slot_labels[most],
        least=slot_labels[least],
        high=figures.number(totals[most], scale, locale=locale),
        low=figures.number(totals[least], scale, locale=locale),
        unit=unit,
    )
