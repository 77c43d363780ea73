"""Tables before they are stored: what is private goes, and nothing that only looks like it."""

from __future__ import annotations

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.sources.byte_streams import unpacked
from ingestion.sources.private_tables import scrubbed, scrubbed_bytes

HEADER = ["ResourceId", "SkuMeter", "Tags", "Quantity"]
KEPT = (
    "arn:aws:bedrock:eu-west-1:704188882014:inference-profile/eu.anthropic.claude-sonnet",
    "claude@20240229",
    "disk-0123456789abcdef",
    "/subscriptions/f1d5/resourceGroups/rg-users/providers/Microsoft.CognitiveServices/accounts/aoai",
    "gpt 4.1 Inp Data Zone 1K Tokens",
    "sk_live",
)


def table(*rows: list[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([HEADER, *rows])
    return text.getvalue().encode()


def rows_of(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(unpacked(body).decode(), newline="")))


@pytest.mark.parametrize("text", KEPT)
def test_what_only_looks_private_is_kept_byte_for_byte(text: str) -> None:
    body = table([text, text, json.dumps({"team": "search", "value": text}), "1"])

    assert scrubbed_bytes(body) == body


def test_private_cells_go_and_the_rest_of_their_row_stays() -> None:
    tags = json.dumps({"team": "search", "user": "ada", "prompt": "a secret question"})
    body = table(
        ["vm/ada@example.org/1", "H100", tags, "0.25"],
        ["vm/2", "H100", json.dumps({"team": "nlp"}), "0.75"],
    )

    first, second = rows_of(scrubbed_bytes(body))

    assert (first["SkuMeter"], first["Quantity"], json.loads(first["Tags"])) == ("H100", "0.25", {"team": "search"})
    assert "ada" not in first["ResourceId"]
    assert second == {"ResourceId": "vm/2", "SkuMeter": "H100", "Tags": '{"team": "nlp"}', "Quantity": "0.75"}


def test_no_row_is_lost_and_a_torn_one_keeps_its_number_of_cells() -> None:
    body = table(["a", "b", '{"user": "ada"}', "1"]) + b"torn,ada@example.org\n" + b"c,d,,2\n"

    lines = unpacked(scrubbed_bytes(body)).decode().splitlines()

    assert [line.count(",") for line in lines] == [3, 3, 1, 3]
    assert "ada" not in "\n".join(lines)


@pytest.mark.parametrize(
    ("column", "kept"),
    [
        (pa.array([{"team": "nlp", "user": "ada"}]), [{"team": "nlp", "user": None}]),
        (pa.array([[("team", "nlp"), ("user", "ada")]], pa.map_(pa.string(), pa.string())), [[("team", "nlp")]]),
        (pa.array(['{"team": "nlp", "user": "ada"}']).dictionary_encode(), ['{"team": "nlp"}']),
        (pa.array(["ARN of a role"]), ["ARN of a role"]),
    ],
    ids=["struct", "map", "dictionary", "text"],
)
def test_columns_of_parquet_lose_what_is_private(column: pa.Array, kept: list[object]) -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"Tags": column, "Quantity": pa.array([0.5])}), file)

    clean = pq.read_table(io.BytesIO(scrubbed_bytes(file.getvalue()))).to_pydict()

    found = clean["Tags"]
    if pa.types.is_map(column.type):  # an emptied value and an absent pair say the same
        found = [[pair for pair in pairs if pair[1]] for pairs in found]
    assert (found, clean["Quantity"]) == (kept, [0.5])


def test_files_that_are_cleaned_at_once_may_have_long_cells() -> None:
    long = b"user,note\nada,short\n" + b"bo," + b"x" * 200_000 + b"\n"
    long += b"bo,y\n" * 300_000 + b"bo," + b"x" * 200_000 + b"\n"
    with scrubbed(io.BytesIO(b"user,team\nada,nlp\n")) as short, scrubbed(io.BytesIO(long)) as other:
        begun = short.read(1), other.read(1)
        assert begun[0] + short.read() == b"user,team\n,nlp\n"
        kept = begun[1] + other.read()

    assert kept.count(b"x") == 400_000
