"""
Measure every page over a million hourly cells of 200 teams and 300 models: server time, queries, bytes, and when it is usable.

Server time is that of the application answering one request after another: p95 of 5 rounds over filters that change, each asked
when nothing is kept yet (as after new data), and the median of the same again. The other limit beside it is what the database
takes for the one aggregate that any such page needs: the period's daily rows summed by team. Usable is the time in a browser
from the click until the last chart is drawn, or the text of a page without charts, with what was sent, by browsers that were
never here and by the same ones once more (median of 3); the server of these is that of `make run`.
Run: ``make bench ONLY=pages``.
"""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd

from tests.benchmarks.browsing import middle, visits
from tests.benchmarks.stage import Stage, stage

TEAMS: Final = 200
MODELS: Final = 300
SERIES: Final = 600
DAYS_EACH: Final = 100
HOURS_EACH: Final = 17
BATCH: Final = 100_000
ROUNDS: Final = 5
GOAL_MS: Final = 150.0
GOAL_QUERIES: Final = 40.0
USABLE_GOAL_S: Final = 1.5
SENT_GOAL_KB: Final = 700.0
SENT_AGAIN_GOAL_KB: Final = 60.0
ZONES: Final = ("DE", "FR", "PL", "SE", "US", "IE", "NL", "ES", "IT", "GB", "JP", "IN")

PAGES: Final = {
    "overview": "/",
    "teams": "/teams/",
    "models": "/models/",
    "changes": "/changes/",
    "requests": "/requests/",
    "request": "/requests/record/?record=r500",
    "intensity": "/intensity/",
    "runs": "/runs/",
    "providers": "/providers/",
    "bookings": "/bookings/",
    "explain": "/explain/",
    "targets": "/targets/",
    "factors": "/factors/",
    "electricity": "/factors/instruments/",
    "grid_series": "/factors/series/",
    "names": "/factors/names/",
    "audit": "/audit/",
    "sources": "/sources/",
    "quality": "/quality/",
    "coverage": "/quality/units/",
    "completeness": "/quality/completeness/",
    "attribution": "/settings/attribution/",
    "disclosures": "/disclosures/",
    "methodology": "/methodology/",
    "sites": "/settings/sites/",
    "budgets": "/budgets/",
    "scenarios": "/scenarios/",
    "evaluations": "/providers/evaluations/",
    "dossiers": "/providers/dossiers/",
    "destinations": "/settings/destinations/",
    "privacy": "/settings/privacy/",
    "bill_rules": "/settings/bill-rules/",
    "jobs": "/jobs/",
    "search": "/search/?q=Team+7",
    "system": "/system/",
    "settings": "/settings/",
}
FILTERS: Final = (
    "",
    "team=Team 7",
    "model={model}",
    "stage=inference",
    "provider=openai",
    "period=2026-Q2",
    "basis=market",
)


def measure() -> list[dict[str, Any]]:
    """Return the figures as `make bench` writes them."""
    with stage() as on:
        models = fill(on)
        client = signed_in(on)
        limit_ms = aggregate_ms(on)
        results = []
        for name, address in PAGES.items():
            new, again, queries = asked(client, address, models)
            results += [
                row(f"page_{name}_p95", percentile(new, 95), "ms", "goal", GOAL_MS, len(new)),
                row(f"page_{name}", statistics.median(new), "ms", "sum of the days by team", limit_ms, len(new)),
                row(f"page_{name}_again", statistics.median(again), "ms", "goal", GOAL_MS, len(again)),
                row(f"page_{name}_queries", float(queries), "queries", "goal", GOAL_QUERIES, 1),
            ]
        for name, found in visits(client.cookies["sessionid"].value, PAGES).items():
            usable = [[each.usable_s for each in own] for own in (found.first, found.again)]
            sent = [[each.kilobytes for each in own] for own in (found.first, found.again)]
            results += [
                row(f"page_{name}_usable", middle(usable[0]), "s", "goal", USABLE_GOAL_S, len(usable[0])),
                row(f"page_{name}_usable_again", middle(usable[1]), "s", "goal", USABLE_GOAL_S, len(usable[1])),
                row(f"page_{name}_sent", middle(sent[0]), "kB", "goal", SENT_GOAL_KB, len(sent[0])),
                row(f"page_{name}_sent_again", middle(sent[1]), "kB", "goal", SENT_AGAIN_GOAL_KB, len(sent[1])),
            ]
    return results


def row(name: str, value: float, unit: str, compared_with: str, other: float, runs: int) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "compared_with": compared_with,
        "compared_value": other,
        "ratio": value / other,
        "runs": runs,
    }


def percentile(values: list[float], share: float) -> float:
    return float(np.percentile(values, share))


# --- what the pages are about -----------------------------------------------------------------------------------------


def fill(on: Stage) -> list[str]:
    """Write a million records, each in an hourly cell of its own, and derive them; give the names of the models."""
    from core.accounting.services import derive_dirty_days
    from core.factors.pack import load_pack
    from core.factors.services import load_factor_set
    from core.identifiers import uuid7
    from core.ledger.services import Writer, ensure_source

    pack = load_pack()
    load_factor_set(pack)
    models = sorted({str(each["model_name"]) for each in pack.rows("models")})[:MODELS]
    source_id = ensure_source(on.organization_id, "activity", "gateway").id
    made = activity(np.random.default_rng(7), models)
    for start in range(0, len(made), BATCH):
        with Writer(on.organization_id) as writer:
            writer.stage(made.iloc[start : start + BATCH].reset_index(drop=True), source_id=source_id, batch_id=uuid7())
            writer.commit()
    while derive_dirty_days(on.organization_id, limit_s=600).left:
        pass
    return models


def activity(rng: np.random.Generator, models: list[str]) -> pd.DataFrame:
    """Make the records: each series on 100 days of the last year in one stretch, 17 hours a day."""
    from core.quantification.records import conform

    last = datetime.now(UTC).date() - timedelta(days=1)
    first = last - timedelta(days=364)
    number = np.repeat(np.arange(SERIES), DAYS_EACH * HOURS_EACH)
    day = np.repeat(rng.integers(0, 365 - DAYS_EACH, SERIES), DAYS_EACH * HOURS_EACH)
    day += np.tile(np.repeat(np.arange(DAYS_EACH), HOURS_EACH), SERIES)
    hour = np.tile(np.arange(HOURS_EACH) + 4, SERIES * DAYS_EACH)
    starts = pd.Series(np.datetime64(first, "us") + (day * 24 + hour) * np.timedelta64(1, "h")).dt.tz_localize("UTC")
    requests = rng.integers(1, 400, len(number))
    names = np.array(models, dtype=object)
    frame = pd.DataFrame(
        {
            "record_id": [f"r{each}" for each in range(len(number))],
            "started_at": starts,
            "ended_at": starts + pd.Timedelta(minutes=10),
            "team": np.array([f"Team {each}" for each in range(TEAMS)], dtype=object)[number % TEAMS],
            "project": np.array([f"project-{each}" for each in range(SERIES)], dtype=object)[number],
            "stage": "inference",
            "hosting": "api",
            "provider": np.array(["openai", "anthropic", "mistral"], dtype=object)[number % 3],
            "model": names[number % len(names)],
            "zone": np.array(ZONES, dtype=object)[number % len(ZONES)],
            "evidence": "modelled",
            "requests": requests,
            "input_tokens": requests * 900,
            "output_tokens": requests * 240,
        }
    )
    return conform(frame)


# --- asking -----------------------------------------------------------------------------------------------------------


def signed_in(on: Stage) -> Any:
    """Give a test client of a person who may see everything."""
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.test import Client

    from core.organizations import services
    from core.organizations.models import Role

    settings.ALLOWED_HOSTS = ["*"]
    person = get_user_model().objects.create_user(email="bench@example.org", password=None)
    services.add_member(organization_id=on.organization_id, person=person, role=Role.OWNER)
    client = Client(headers={"accept-encoding": "br"})
    client.force_login(person)
    return client


def asked(client: Any, address: str, models: list[str]) -> tuple[list[float], list[float], int]:
    """Ask for a page with one filter after the other; give ms of each answer when new and again, and most queries of one."""
    from django.core.cache import cache
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    new, again, queries = [], [], 0
    client.get(address)  # templates and plans are made once
    for turn in range(ROUNDS):
        for filtered in FILTERS:
            query = filtered.format(model=models[turn * 7 % len(models)]).replace(" ", "+")
            url = f"{address}{'&' if '?' in address else '?'}{query}"
            cache.clear()
            for took in (new, again):
                started = time.perf_counter()
                answer = client.get(url)
                took.append((time.perf_counter() - started) * 1000)
                if answer.status_code != 200:
                    raise RuntimeError(f"{url} answered {answer.status_code}")
        cache.clear()
        with CaptureQueriesContext(connection) as counted:
            client.get(address)
        queries = max(queries, len(counted))
    return new, again, queries


def aggregate_ms(on: Stage) -> float:
    """Time the sum of a quarter's daily rows by team in the database, median of 5. [ms]"""
    from core.accounting.figures import Filter
    from core.accounting.selectors import emissions

    last = datetime.now(UTC).date().replace(day=1) - timedelta(days=1)
    took = []
    for _ in range(5):
        started = time.perf_counter()
        emissions(on.organization_id, Filter(last - timedelta(days=91), last, by=("team",)), bounds=False)
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)
