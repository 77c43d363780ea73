"""
LiteLLM's two wires, brought to one form without content and people: events of its generic API callback (StandardLoggingPayload),
and rows of its spend log (`/spend/logs`, or the table LiteLLM_SpendLogs as CSV).
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

import msgspec

from core.quantification.prose import brief
from ingestion.sources import bill_tables, gateway_tags, json_stream
from ingestion.sources.base import UnreadablePayload
from ingestion.sources.byte_streams import open_maybe_compressed, unpacked, unpacked_head
from ingestion.sources.sheets import brief_event
from ingestion.sources.usage_pages import Shape, pruned

WHAT: Final = "LiteLLM"
HEAD_BYTES: Final = 4096

OLD_FORM: Final = (
    "This is the old object of LiteLLM's callback, in which every value is text. Take `generic_api_use_v1` out of its"
    " litellm_settings (or set litellm.generic_api_use_v1 = False); the current form needs nothing else."
)
SUMMARY: Final = (
    "These are daily sums of the spend log, without requests and tokens. Ask for the rows: /spend/logs with"
    " summarize=false, or /spend/logs/v2."
)
OTHER_FORM: Final = "This is neither an event of LiteLLM's callback nor a row of its spend log."

_DETAILS: Final[Shape] = {
    **dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens", "cache_read_input_tokens")),
    "prompt_tokens_details": {"cached_tokens": None},
}
_METADATA: Final[Shape] = {
    **dict.fromkeys(
        f"user_api_key_{name}"
        for name in ("team_id", "team_alias", "project_id", "project_alias", "org_id", "org_alias")
    ),
    **dict.fromkeys(("team_id", "team_alias")),
    "usage_object": _DETAILS,
}
_EVENT: Final[Shape] = {
    **dict.fromkeys(
        "id litellm_call_id trace_id call_type cache_hit stream status custom_llm_provider startTime endTime"  # noqa: SIM905
        " completionStartTime model model_group prompt_tokens completion_tokens response_cost".split()
    ),
    "metadata": _METADATA,
    "cost_breakdown": dict.fromkeys(("vertex_location", "service_tier")),
    "response": dict.fromkeys(("model", "created_at", "completed_at")),
    "hidden_params": dict.fromkeys(("batch_successful_requests", "batch_failed_requests")),
    "model_map_information": {"model_map_key": None},
}
"""Of an event; `api_base`, `request_tags`, `spend_logs_metadata` and `batch_models` are reduced before they are kept."""

SPEND_COLUMNS: Final = (  # noqa: SIM905  # a list of words reads better so
    "request_id litellm_call_id session_id call_type cache_hit status custom_llm_provider startTime endTime"
    " completionStartTime model model_group prompt_tokens completion_tokens spend api_base team_id organization_id"
    " metadata request_tags response"
).split()
_NUMBERS: Final = ("prompt_tokens", "completion_tokens", "spend")
_JSON_TEXT: Final = ("metadata", "request_tags", "response")

_NOT_JSON: Final = re.compile(rb"(?<=[:\[,\s])(?:-?Infinity|NaN)(?=[,\]}\s])")


def plain_events(body: bytes) -> list[dict[str, Any]]:
    """
    Read a body of either wire as events without content and people, in their order.

    Args:
        body: JSON (one object, an array, lines), or CSV of the spend log; may be packed.

    Returns:
        Events as far as they are kept, `form` = `callback`, `spend` or `broken`. Raises UnreadablePayload for another format.
    """
    plain = unpacked(body)
    if plain.lstrip()[:1] not in (b"{", b"["):
        return list(csv_events(io.BytesIO(plain)))
    found = _json_values(plain)
    rows = [each for value in found for each in (value["data"] if _is_page(value) else [value])]
    return [brief_event(_plain(value)) for value in rows]


def events_of(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """
    Read a file of either wire, of any size, as `plain_events` reads a body: an event at a time.

    Args:
        stream: seekable, at its start; may be packed.
    """
    if unpacked_head(stream, HEAD_BYTES).lstrip()[:1] not in (b"{", b"["):
        yield from csv_events(stream)
        return
    values = json_stream.items(open_maybe_compressed(stream), WHAT, lambda body: _NOT_JSON.sub(b"null", body))
    for value, _ in values:
        yield brief_event(_plain(value))


def _json_values(plain: bytes) -> list[Any]:
    """Read JSON; Python's own `json`, with which the client writes, spells what is no number in its own way."""
    try:
        return documents(plain, WHAT)
    except UnreadablePayload:
        mended = _NOT_JSON.sub(b"null", plain)
        if mended == plain:
            raise
        return documents(mended, WHAT)


def documents(body: bytes, what: str) -> list[Any]:
    """
    Read a JSON document, an array of them, or several one after the other, as a loop over pages appends them to a file.

    Args:
        body: may be packed.
        what: the API's name, for the message.

    Raises UnreadablePayload when it is not JSON.
    """
    plain = unpacked(body)
    try:
        found = _decoded(plain)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise UnreadablePayload(f"The file is not JSON: {error}. Save the answer of {what} as it is.") from error
    return [each for document in found for each in (document if isinstance(document, list) else [document])]


def _decoded(plain: bytes) -> list[Any]:
    try:
        return [msgspec.json.decode(plain)]
    except msgspec.DecodeError:
        with contextlib.suppress(msgspec.DecodeError):
            return _LINES.decode_lines(plain) or [None]
        pieces = _pieces(plain.decode())
        if len(pieces) < 2:
            raise
        return [msgspec.json.decode(piece) for piece in pieces]


_LINES: Final = msgspec.json.Decoder()


def _pieces(text: str) -> list[str]:
    """Cut a text into the JSON documents that stand in it one after the other; raise ValueError where one is broken."""
    decoder, pieces = json.JSONDecoder(), []
    start = _SPACE.match(text).end()  # type: ignore[union-attr]  # it matches everywhere
    while start < len(text):
        _, end = decoder.raw_decode(text, start)
        pieces.append(text[start:end])
        start = _SPACE.match(text, end).end()  # type: ignore[union-attr]
    return pieces


_SPACE: Final = re.compile(r"\s*")


def _is_page(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("data"), list) and "id" not in value


def _plain(value: object) -> dict[str, Any]:
    """Reduce one JSON value to what is kept. Raises UnreadablePayload for the forms that are refused as a whole."""
    if not isinstance(value, dict):
        return {"form": "broken", "detail": f"an event is an object, not {type(value).__name__}"}
    if "modelParameters" in value and isinstance(value.get("usage"), str):
        raise UnreadablePayload(OLD_FORM)
    if "request_id" in value:
        return spend_event(value)
    if "id" not in value and "startTime" in value and "models" in value:
        raise UnreadablePayload(SUMMARY)
    if "id" not in value and "startTime" not in value:
        raise UnreadablePayload(OTHER_FORM)
    return callback_event(value)


def callback_event(value: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of an event what activity is made of."""
    event: dict[str, Any] = pruned(dict(value), _EVENT)
    metadata = value.get("metadata")
    own_tags = metadata.get("spend_logs_metadata") if isinstance(metadata, dict) else None
    hidden = value.get("hidden_params")
    batch_models = hidden.get("batch_models") if isinstance(hidden, dict) else None
    return {
        "form": "callback",
        **event,
        "api_base": host_of(value.get("api_base")),
        "tags": _tags(value.get("request_tags"), own_tags),
        "is_batch": bool(batch_models),
    }


def spend_event(row: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a row of the spend log to the form of an event; its JSON columns may be text, its numbers too (CSV)."""
    read = {key: _read_json(row.get(key)) for key in _JSON_TEXT}
    metadata: dict[str, Any] = read["metadata"] if isinstance(read["metadata"], dict) else {}
    tags = read["request_tags"]
    event = callback_event(
        {
            **{key: row.get(key) for key in SPEND_COLUMNS if key not in _JSON_TEXT},
            "id": row.get("request_id"),
            "trace_id": row.get("session_id") or None,
            "cache_hit": _read_flag(row.get("cache_hit")),
            "status": row.get("status") or metadata.get("status") or "success",
            "metadata": {
                **metadata,
                "user_api_key_team_id": metadata.get("user_api_key_team_id") or row.get("team_id"),
                "user_api_key_org_id": metadata.get("user_api_key_org_id") or row.get("organization_id"),
            },
            "request_tags": tags,
            "response": read["response"],
            "hidden_params": metadata,
            **{key: metadata.get(key) for key in ("cost_breakdown", "model_map_information")},
        }
    )
    numbers = {key: _read_number(row.get(key)) for key in _NUMBERS}
    return event | {
        "form": "spend",
        "prompt_tokens": numbers["prompt_tokens"],
        "completion_tokens": numbers["completion_tokens"],
        "response_cost": numbers["spend"],
        "litellm_call_id": row.get("litellm_call_id") or pruned(metadata.get("litellm_call_id"), None),
    }


def csv_events(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """Read a spend log as CSV, which may be packed, as events. Raises UnreadablePayload for another table."""
    table = bill_tables.open_table(stream, bill_tables.picker(SPEND_COLUMNS), json_stream.CHUNK_ITEMS)
    missing = [
        name for name in ("request_id", "startTime") if name.lower() not in {n.strip().lower() for n in table.names}
    ]
    if missing:
        raise UnreadablePayload(
            f"The CSV has no column {missing[0]}. Export the table LiteLLM_SpendLogs with its header."
        )
    for chunk in table.chunks:
        broken = {line.row: line for line in chunk.broken}
        values = {name: column.to_pylist() for name, column in chunk.columns.items()}
        rows = dict(zip(chunk.rows.tolist(), range(len(chunk.rows)), strict=True))
        for number in sorted({*rows, *broken}):
            if number in broken:
                line = broken[number]
                yield {"form": "broken", "detail": f"the line has {line.cells} cells, the header {line.expected}"}
            else:
                yield brief(spend_event({name: column[rows[number]] or None for name, column in values.items()}))


def host_of(address: object) -> str | None:
    """
    Give the host of a server's address; paths and queries may hold keys.

    >>> host_of("https://user:pw@europe-west4-aiplatform.googleapis.com/v1/projects/x?key=AIza"), host_of("vllm:8000")
    ('europe-west4-aiplatform.googleapis.com', 'vllm')
    """
    if not isinstance(address, str) or not address.strip():
        return None
    text = address.strip()
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname
    except ValueError:
        return None
    return host[:200] if host and re.fullmatch(r"[a-z0-9_.:-]+", host) else None


def _tags(request_tags: object, own: object) -> dict[str, str]:
    pairs = gateway_tags.pairs_of(request_tags) if isinstance(request_tags, list) else {}
    metadata = gateway_tags.kept(own) if isinstance(own, dict) else {}
    return {**metadata, **gateway_tags.kept(pairs, identifiers=True)}


def _read_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(_NOT_JSON.sub(b"null", value.encode(errors="replace")))
    except (msgspec.DecodeError, RecursionError):
        return None


def _read_number(value: object) -> object:
    """Read a number of a CSV cell; what is none stays as it is, so that its row is told of it."""
    if not isinstance(value, str):
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _read_flag(value: object) -> object:
    """Read the spend log's `cache_hit`: the text of Python's True, False or None."""
    if isinstance(value, str):
        return {"true": True, "false": False, "none": None, "": None}.get(value.strip().lower(), value)
    return value
