"""The quick look at a text finds too much rather than too little: what it passes is stored as it came."""

from __future__ import annotations

import csv
import io
import json

import pytest

from core.quantification.prose import brief
from ingestion.sources.private_texts import mentions_private

SENTENCE = "my neighbour lost her job last week and may she keep the flat"
PLAIN = [
    {"status": "ok", "id": 5},
    {"status": "", "type": "span", "tier": None, "mode": 1.5e3, "cache_hit": False},
    {"finish_reasons": ["stop", "length"], "flags": []},
    {"status": {"code": 1}, "unit": [{"type": "tokens"}]},
    {"region": "US East (N. Virginia)", "name": "nightly retraining of the ranking model"},
]
PROSE = [
    {"status": SENTENCE},
    {"status": f'ok", {SENTENCE}'},
    {"status": f"ok \\ {SENTENCE}"},
    {"status": f'CANCELLED "{SENTENCE}"'},
    {"status": f"ok\n{SENTENCE}"},
    {"finish_reasons": ["stop", SENTENCE]},
    {"finish_reasons": ["stop", 1, SENTENCE]},
    {"finish_reasons": ["stop", ["length", SENTENCE]]},
    {"a": {"b": [{"status": "ok"}, {"status": SENTENCE}]}},
]


def in_json(value: object) -> str:
    return json.dumps(value)


def in_json_with_lines(value: object) -> str:
    return json.dumps(value, indent=2)


def in_a_text_of_json(value: object) -> str:
    return json.dumps({"metadata": json.dumps(value)})


def in_a_cell(value: object) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerow(["a", json.dumps(value), "b"])
    return stream.getvalue()


def as_python_writes_it(value: object) -> str:
    return repr(value)


WRITTEN = [in_json, in_json_with_lines, in_a_text_of_json, in_a_cell, as_python_writes_it]


@pytest.mark.parametrize("write", WRITTEN)
@pytest.mark.parametrize("value", PROSE)
def test_prose_under_a_key_that_takes_a_word_is_seen_however_it_is_written(write, value):
    assert brief(value) != value
    assert mentions_private(write(value).encode())


@pytest.mark.parametrize("write", WRITTEN)
@pytest.mark.parametrize("value", PLAIN)
def test_words_are_not_taken_for_prose(write, value):
    assert brief(value) == value
    assert not mentions_private(write(value).encode())


@pytest.mark.parametrize("begin", ['{"status": [', "{'status': [", '{"status": '])
@pytest.mark.parametrize("repeated", ['"a", ', "'a', ", '"" ', "   ", '"', "\\", "[", "{", "1"])
def test_no_text_makes_the_look_run_away(begin, repeated):
    text = (begin + repeated * 200_000).encode()

    assert mentions_private(text) in {True, False}
