"""Every kind of chart with made-up figures: usual ones, and those that break pictures. Only where DEBUG is on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any, Final

import pandas as pd
from django.utils import translation
from django.utils.translation import gettext as _

from reporting.charts import (
    EVIDENCE,
    Chart,
    Event,
    Hole,
    Measure,
    Overlays,
    Part,
    coverage_map,
    distribution,
    dots,
    hour_of_week,
    months_between,
    multiples,
    scatter,
    steps,
    trend,
    waterfall,
)
from reporting.distribution import histogram

HOSTILE: Final = "<b>=1+1</b><script>alert(1)</script>"
LONG: Final = "Forschungsabteilung für multimodale Grundlagenmodelle, Standort Garching bei München"
VARIANCE: Final = (
    ("volume", "Volume", 21_300.0),
    ("mix", "Mix", -8_400.0),
    ("efficiency", "Efficiency", -26_100.0),
    ("grid", "Grid", -5_200.0),
    ("coverage", "Coverage", 1_900.0),
    ("method", "Method", 0.0),
)
REGIONS: Final = (
    ("Sweden", 0.021, 0.017, 0.026, "measured"),
    ("France", 0.044, 0.036, 0.053, "measured"),
    ("Germany", 0.329, 0.270, 0.400, "modelled"),
    ("Virginia (SRVC)", 0.352, 0.290, 0.430, "stated"),
    ("Texas (ERCT)", 0.371, 0.300, 0.450, "assumed"),
)
MODELS: Final = (
    ("atlas-70b", 0.74, 41.0, 8.1e9),
    ("gpt-class API", 1.31, 28.0, 4.4e9),
    ("atlas-8b-int4", 0.09, 9.0, 21e9),
    ("embed-v3", 0.02, 3.0, 60e9),
    ("vision-large", 1.05, 55.0, 0.6e9),
    ("code-34b", 0.51, 12.0, 2.9e9),
)
DAY: Final = datetime(2026, 7, 1, tzinfo=UTC)


def said() -> dict[str, Any]:
    """Language of the page, for every builder."""
    return {"locale": translation.get_language() or "en", "translate": _}


def chart_samples() -> list[Chart]:
    """Draw all of them."""
    return [
        *trends(),
        *waterfalls(),
        *heat_maps(),
        *dot_plots(),
        *distributions(),
        *scatters(),
        *step_lines(),
        *small_multiples(),
    ]


def trends() -> Iterator[Chart]:
    """Draw a year by evidence with events, ranges and a projection against a limit; and a single open slot."""
    slots = pd.date_range("2026-01-01", periods=12, freq="MS", tz="UTC")
    levels = {"measured": 9.0, "modelled": 5.0, "stated": 2.0, "assumed": 0.7}
    rows = [
        (slot, level, 1000 * tonnes * (1 + 0.05 * i) * (0.4 if i == 8 else 1))
        for level, tonnes in levels.items()
        for i, slot in enumerate(slots[:9])
    ]
    frame = pd.DataFrame(rows, columns=["starts_at", "series", "value"])
    totals = frame.groupby("starts_at")["value"].sum()
    ahead = pd.DataFrame({"value": [23_400.0, 24_200.0, 25_000.0, 25_900.0]}, index=slots[8:])
    overlays = Overlays(
        events=[
            Event(date(2026, 3, 3), "factors of 2025 activated"),
            Event(date(2026, 6, 17), "AWS cost export silent until 29 Jun"),
            Event(date(2026, 7, 1), "target of the second half: 5\u202f% less"),
        ],
        bounds=pd.DataFrame({"low": totals * 0.85, "high": totals * 1.3}),
        projection=ahead.assign(low=lambda rows: rows["value"] * 0.9, high=lambda rows: rows["value"] * 1.25),
    )
    options: dict[str, Any] = {
        "slots": slots,
        "grain": "month",
        "labels": {level: level.capitalize() for level in levels},
        "colours": EVIDENCE,
        "detail": "by evidence",
        **said(),
    }
    open_from = slots[8].to_pydatetime()
    limits = pd.Series([21_000.0] * 6 + [20_000.0] * 6, index=slots)
    yield trend(frame, name="evidence", target=limits, provisional_from=open_from, overlays=overlays, **options)
    yield trend(frame.iloc[:0], name="trend-none", **options)


def waterfalls() -> Iterator[Chart]:
    """Draw a variance, tiny parts, parts across zero, unknown ones, one part, none."""
    start, end = ("Q2 2026", 201_000.0), ("Q3 2026", 184_500.0)
    parts = [Part(*part) for part in VARIANCE]
    links = {part.key: f"?part={part.key}" for part in parts}
    quality = "63\u202f% measured, 37\u202f% modelled"
    yield waterfall(parts, start=start, end=end, name="bridge", links=links, quality=quality, **said())
    tiny = [Part(part.key, part.label, (part.value or 0.0) / 20) for part in parts]
    yield waterfall(tiny, start=start, end=("Q3 2026", 200_175.0), name="bridge-tiny", **said())
    crossing = [Part("a", LONG, -14_000.0), Part("b", "Certificates", -9_000.0), Part("c", "Upstream", 4_000.0)]
    yield waterfall(crossing, start=("Before", 12_000.0), end=("After", -7_000.0), name="bridge-zero", **said())
    holes = [*parts[:2], Part("efficiency", "Efficiency", None, "no request counts in Q2"), *parts[3:]]
    yield waterfall(holes, start=start, end=end, name="bridge-unknown", **said())
    none = [Part("a", "Correction", None), Part("b", "Factor", 3.0)]
    yield waterfall(none, start=("Old figures", None), end=("New figures", 90.0), name="bridge-one-side", **said())
    yield waterfall([], start=("Q2 2026", 0.0), end=("Q3 2026", 0.0), name="bridge-empty", **said())


def heat_maps() -> Iterator[Chart]:
    """Draw a grid's week, one with holes, a single hour, coverage, and nothing."""
    week = pd.DataFrame(
        [
            (day, hour, 0.33 + 0.09 * math.cos((hour - 19) / 24 * 2 * math.pi) - 0.03 * (day > 4))
            for day in range(7)
            for hour in range(24)
        ],
        columns=["weekday", "hour", "value"],
    )
    yield hour_of_week(week, name="week", per="per kWh", **said())
    holes = week[(week["weekday"] != 2) & ~week["hour"].between(3, 5)].assign(value=lambda rows: rows["value"] * 120)
    yield hour_of_week(holes, name="week-holes", kind="mass", noun="Inference", **said())
    yield hour_of_week(week.iloc[:1], name="week-one", per="per kWh", **said())
    months = months_between(date(2026, 1, 1), date(2026, 9, 1))
    teams = ("Search", "Assistants", LONG, "Unattributed")
    rows = [
        (name, name, month, None if (i, j) in {(2, 0), (2, 1), (3, 4)} else min(1.0, 0.4 + 0.09 * j + 0.11 * i))
        for i, name in enumerate(teams)
        for j, month in enumerate(months)
    ]
    frame = pd.DataFrame(rows, columns=["key", "label", "month", "share"])
    yield coverage_map(frame, months=months, reasons={(LONG, "2026-01"): "cost export missing"}, **said())
    yield coverage_map(frame.iloc[:0], months=months, name="coverage-empty", **said())


def dot_plots() -> Iterator[Chart]:
    """Draw regions, models over decades, ranges that all overlap, one row, and nothing disclosed."""
    columns = ["key", "label", "value", "low", "high", "evidence"]
    regions = pd.DataFrame([(name, *row) for name, *row in ((r[0], *r) for r in REGIONS)], columns=columns)
    per = {"noun": "regions", "per": "per kWh", **said()}
    links = {name: f"?region={name}" for name in regions["key"]}
    yield dots(regions, name="regions", links=links, quality="published factors of 2025", **per)
    models = pd.DataFrame(
        [(name, name, g / 1e3, g / 2e3, g / 4e2, "modelled") for name, g, _latency, _tokens in MODELS]
        + [("closed", LONG, None, None, None, "")],
        columns=columns,
    ).assign(reason=["", "", "", "", "", "", "the provider gives no figure"])
    models.loc[1, "label"] = HOSTILE
    yield dots(models, name="dot-models", noun="models", per="per 1,000 tokens", logarithmic=True, **said())
    yield dots(regions.iloc[2:], name="regions-alike", **per)
    yield dots(regions.iloc[:1].drop(columns=["low", "high"]), name="regions-one", **per)
    yield dots(models.iloc[-1:], name="dots-none", **per)


def distributions() -> Iterator[Chart]:
    """Draw a heavy tail with zeros, a narrow one, a single request, and nothing."""
    heavy = [0.0] * 40 + [0.0004 * 1.02 ** (i % 380) for i in range(3800)]
    bins, zeros = histogram(heavy)
    marks = {"p50": 0.0172, "p90": 0.335, "p99": 0.7}
    links = [f"?from={low}" for low in bins["low"]]
    yield distribution(bins, percentiles=marks, zeros=zeros, unknown=12, name="requests", links=links, **said())
    bins, zeros = histogram([0.001 + 0.00001 * i for i in range(200)])
    yield distribution(bins, percentiles={"p50": 0.002, "p90": 0.0028, "p99": 0.00298}, name="requests-alike", **said())
    bins, zeros = histogram([0.0031])
    yield distribution(bins, percentiles={"p50": 0.0031}, name="requests-one", **said())
    bins, zeros = histogram([])
    yield distribution(bins, percentiles={}, name="requests-none", **said())


def scatters() -> Iterator[Chart]:
    """Draw models between footprint and latency, one that beats all, one alone, and nothing."""
    options: dict[str, Any] = {
        "across": Measure("Footprint", "g CO2e per 1,000 tokens"),
        "up": Measure("Quality", "points", "more"),
        "volume": Measure("Volume", "tokens"),
        "noun": "models",
        **said(),
    }
    rows = [(name, name, g, quality, tokens) for name, g, quality, tokens in MODELS]
    frame = pd.DataFrame(rows, columns=["key", "label", "x", "y", "volume"])
    with_hole = pd.concat([frame, pd.DataFrame([{"key": "n", "label": LONG, "x": None, "y": 3.0, "volume": 9.0}])])
    yield scatter(with_hole, name="pareto", links={"embed-v3": "?model=embed-v3"}, **options)
    crowd = pd.DataFrame([(f"m{i}", f"model number {i}", 1 + i % 5 / 9, 1 + i % 7 / 9, 5.0) for i in range(24)])
    yield scatter(crowd.set_axis(frame.columns, axis=1), name="pareto-crowd", **options)
    yield scatter(frame.iloc[:1], name="pareto-one", **options)
    yield scatter(frame.iloc[:0], name="pareto-none", **options)


def step_lines() -> Iterator[Chart]:
    """Draw a week of power with a gap, several zones, one slot, and nothing."""
    hours = pd.date_range(DAY, periods=168, freq="h")
    power = pd.DataFrame(
        [
            (slot, "power", 40 + 25 * math.sin(i / 24 * 2 * math.pi) ** 2 + (60 if i in (90, 91) else 0))
            for i, slot in enumerate(hours)
            if not 50 <= i < 62
        ],
        columns=["starts_at", "series", "value"],
    )
    reason = [Hole(hours[50].to_pydatetime(), hours[62].to_pydatetime(), "meter of hall 2 silent")]
    options: dict[str, Any] = {"unit": "kW", "noun": "Power", "labels": {"power": "Power"}, **said()}
    yield steps(power, slots=hours, name="power", holes=reason, **options)
    zones = pd.DataFrame(
        [
            (slot, zone, base + 60 * math.cos((i - 19) / 24 * 2 * math.pi))
            for zone, base in (("DE", 330.0), ("FR", 80.0), ("SE", 62.0))
            for i, slot in enumerate(hours[:72])
        ],
        columns=["starts_at", "series", "value"],
    )
    names = {"DE": "Germany", "FR": "France", "SE": "Sweden"}
    yield steps(
        zones, slots=hours[:72], unit="g CO2e per kWh", noun="Grid intensity", labels=names, name="zones", **said()
    )
    yield steps(power.iloc[:1], slots=hours[:1], name="power-one", **options)
    yield steps(power.iloc[:0], slots=hours[:24], name="power-none", **options)


def small_multiples() -> Iterator[Chart]:
    """Draw teams of very different size, a single one, and none."""
    slots = pd.date_range(DAY, periods=12, freq="7D")
    teams = ("Search", "Assistants", LONG, "Vision", "Speech", "Unattributed")
    rows = [
        (slot, name, (9000 - 1500 * i) * (1 + 0.4 * math.sin(i + j / 2)))
        for i, name in enumerate(teams)
        for j, slot in enumerate(slots)
        if not (i == 3 and 3 <= j < 6)
    ]
    frame = pd.DataFrame(rows, columns=["starts_at", "series", "value"])
    labels = {name: name for name in teams}
    options: dict[str, Any] = {"slots": slots, "grain": "week", "labels": labels, "noun": "teams", **said()}
    yield multiples(frame, name="teams", **options)
    yield multiples(frame[frame["series"] == "Search"], name="teams-one", **options)
    yield multiples(frame.iloc[:0], name="teams-none", **options)
