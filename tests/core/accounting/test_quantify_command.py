"""`manage.py quantify`: JSON lines in, JSON lines out, without a database."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from core.factors.pack import load_pack

ROOT = Path(__file__).parents[3]
METER = {
    "record_id": "r1",
    "started_at": "2026-10-01T09:00:00Z",
    "ended_at": "2026-10-01T10:00:00Z",
    "stage": "training",
    "hosting": "owned",
    "evidence": "measured",
    "zone": "DE",
    "energy_kwh": 10,
    "energy_boundary": "device",
}


@pytest.fixture
def quantify(tmp_path):
    def run(*lines: object, **options) -> list[dict]:
        file = tmp_path / "records.jsonl"
        file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
        out = io.StringIO()
        try:
            call_command("quantify", str(file), stdout=out, **options)
        finally:
            run.printed = [json.loads(line) for line in out.getvalue().splitlines()]
        return run.printed

    return run


def test_answer_has_the_promised_shape(quantify):
    (answer,) = quantify({"record": METER, "factors": {"pue": 1.2}})

    assert list(answer) == [
        "record_id",
        "method",
        "methodology",
        "factor_set",
        "data_quality",
        "scope",
        "impacts",
        "factors",
        "notes",
    ]
    assert (answer["record_id"], answer["method"], answer["methodology"]) == ("r1", "measured", "2026.1")
    assert answer["factor_set"] == load_pack().content_hash
    assert (answer["data_quality"], answer["scope"]) == (2, "2")
    assert answer["impacts"]["energy_it_kwh"]["value"] == pytest.approx(13.5)
    assert answer["impacts"]["location_kg_co2e"]["value"] == pytest.approx(16.2 * 0.329)
    assert answer["impacts"]["embodied_kg_co2e"] is None
    assert "no_hardware" in answer["notes"]
    for factor in answer["factors"]:
        assert {"id", "name", "value", "unit", "source", "valid_from", "match"} <= set(factor)


def test_answers_stand_in_the_order_of_lines_and_one_bad_line_stands_alone(quantify):
    bad_time = METER | {"record_id": "r2", "started_at": "2026-10-01 09:00"}
    unknown_field = METER | {"record_id": "r3", "colour": "blue"}
    with pytest.raises(CommandError, match="6 lines"):
        quantify(
            {"record": METER},
            {"record": bad_time},
            "nonsense",
            {"record": unknown_field},
            {"record": METER | {"record_id": "r4"}, "factors": {"pue": 0.5}},
            {"record": METER | {"record_id": "r5"}},
            '{"record": {"record_id": "r6", "energy_kwh": NaN}}',
            {"factors": {}},
        )

    printed = quantify.printed
    assert [line["record_id"] for line in printed] == ["r1", "r2", None, "r3", "r4", "r5", None, None]
    errors = [line["error"]["field"] for line in printed if "error" in line]
    assert errors == ["started_at", None, "colour", "pue", None, "record"]


def test_correction_is_negative_with_its_bounds_in_order(quantify):
    line = METER | {"energy_kwh": -10, "corrects": "r0"}

    impact = quantify({"record": line})[0]["impacts"]["energy_it_kwh"]

    assert impact["low"] < impact["value"] < impact["high"] < 0


def test_small_figures_are_not_rounded_to_the_units_of_cells(quantify):
    line = METER | {"energy_kwh": 1.23456789e-11, "energy_boundary": "it"}

    assert quantify({"record": line})[0]["impacts"]["energy_it_kwh"]["value"] == pytest.approx(1.23456789e-11)


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"record": {"record_id": "\\ud800"}}',
        b'{"record": {"record_id": "x", "energy_kwh": 1e999}}',
        b"null",
        b'{"record": [], "factors": []}',
    ],
    ids=["bytes", "depth", "surrogate", "infinity", "null", "lists"],
)
def test_line_that_is_no_record_is_an_error_and_never_a_crash(tmp_path, line):
    file = tmp_path / "records.jsonl"
    file.write_bytes(line + b"\n")
    out = io.StringIO()

    with pytest.raises(CommandError, match="1 line"):
        call_command("quantify", str(file), stdout=out)

    assert "error" in json.loads(out.getvalue())


def test_no_lines_are_no_answers(quantify):
    assert quantify("") == []


@pytest.mark.parametrize("options", [{"methodology": "1999"}, {"factor_set": "nobody's"}])
def test_unknown_version_or_set_is_refused(quantify, options):
    with pytest.raises(CommandError, match=r"known|shipped"):
        quantify({"record": METER}, **options)


def test_missing_file_is_refused():
    with pytest.raises(CommandError, match="cannot read"):
        call_command("quantify", "no/such/file.jsonl")


@pytest.mark.slow
@pytest.mark.parametrize(("line", "code"), [(json.dumps({"record": METER}), 0), ("nonsense", 1)])
def test_command_runs_without_any_database(tmp_path, line, code):
    environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    environment["VAR_DIR"] = str(tmp_path / "nothing-here")

    run = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "quantify"],
        input=line + "\n",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert run.returncode == code, run.stderr
    assert json.loads(run.stdout)
