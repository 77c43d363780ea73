"""
Plants what must never be kept into samples of any format: people, secrets and what they wrote, at every place that a JSON
object, a list of attributes, a CSV column, a JSON cell or a column of Parquet has for them.
"""

from __future__ import annotations

import base64
import csv
import gzip
import io
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

SIGN = "pl4nted"
"""In everything that was planted."""

_numbers = itertools.count(1)

PROTOBUF = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}


def secret(what: str) -> str:
    """Make a text that can be found again."""
    return f"{SIGN} {what} {next(_numbers)}"


def mail() -> str:
    """Make a mail address of nobody."""
    return f"{SIGN}.{next(_numbers)}@people.example"


def plants() -> dict[str, Any]:
    """Make fields that hold what must not be kept."""
    return {
        "prompt": secret("prompt"),
        "completion": secret("completion"),
        "messages": [{"role": "user", "content": secret("message")}],
        "tool_arguments": json.dumps({"query": secret("argument")}),
        "toolCalls": [{"function": {"arguments": secret("call")}}],
        "user": secret("user"),
        "userName": secret("name"),
        "customerContact": secret("customer"),
        "end_user": {"id": secret("id")},
        "email": mail(),
        "api_key": f"sk-{SIGN}{next(_numbers):024d}",
        "gen_ai.input.messages": secret("span"),
        "enduser.id": secret("end user"),
    }


def tags() -> dict[str, str]:
    """Make tags: texts only; the last three are given away by their values alone."""
    texts = {key: value for key, value in plants().items() if isinstance(value, str)}
    by_value = {"remark": f"ask {mail()}", "reference": f"sk-{SIGN}{next(_numbers):024d}"}
    return texts | by_value | {"context": json.dumps({"endUserId": secret("inner id")})}


def planted(value: Any) -> Any:
    """Plant into every object of a JSON value, and into every list of attributes."""
    if isinstance(value, dict):
        grown = {key: planted(item) for key, item in value.items()}
        if value.keys() & {"stringValue", "intValue", "doubleValue", "boolValue"}:
            return grown
        grown |= {key: item for key, item in plants().items() if isinstance(value.get(key), str | list | dict | None)}
        for key in ("labels", "tags", "metadata", "attributes"):
            if isinstance(value.get(key), dict):
                grown[key] |= tags()
        return grown
    if isinstance(value, list):
        pairs = bool(value) and all(isinstance(item, dict) and {"key", "value"} <= item.keys() for item in value)
        grown_list = [planted(item) for item in value]
        if pairs:
            nested = isinstance(value[0]["value"], dict)
            grown_list += [
                {"key": key, "value": {"stringValue": text} if nested else text} for key, text in tags().items()
            ]
        return grown_list
    return value


def plant_file(path: Path, target: Path) -> Path:
    """Write a sample with plants into a folder, under its own name."""
    content = path.read_bytes()
    packed = content[:2] == b"\x1f\x8b"
    if packed:
        content = gzip.decompress(content)
    grown = plant_bytes(content, path.name)
    place = target / path.name
    place.write_bytes(gzip.compress(grown) if packed else grown)
    return place


def plant_bytes(content: bytes, name: str) -> bytes:
    """Plant into the content of a file, by its form."""
    if content[:4] == b"PAR1":
        return plant_parquet(content)
    if name.endswith(".pb"):
        return plant_protobuf(content, name.removesuffix(".pb").rsplit("-", 1)[-1])
    text = content.decode("utf-8-sig")
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.dumps(planted(json.loads(text))).encode()
        except ValueError:
            return "\n".join(json.dumps(plant_line(json.loads(line))) for line in text.splitlines() if line).encode()
    return plant_table(text).encode()


def plant_line(line: Any) -> Any:
    """Plant into one line of a JSON lines file: a record, or the body of a recorded request."""
    if not (isinstance(line, dict) and {"method", "path"} <= line.keys()):
        return planted(line)
    if "body" in line:
        return line | {"body": planted(line["body"])}
    if "body_base64" not in line:
        return line
    raw = base64.b64decode(line["body_base64"])
    packed = raw[:2] == b"\x1f\x8b"
    raw = gzip.decompress(raw) if packed else raw
    if raw.lstrip()[:1] == b"{":
        raw = json.dumps(planted(json.loads(raw))).encode()
    elif (signal := line["path"].rsplit("/", 1)[-1]) in PROTOBUF:
        raw = plant_protobuf(raw, signal)
    assert SIGN.encode() in raw
    return line | {"body_base64": base64.b64encode(gzip.compress(raw) if packed else raw).decode()}


def plant_table(text: str) -> str:
    """Add columns to a CSV file, and tags to its cells that hold JSON objects."""
    separator = max(",;\t|", key=text.split("\n", 1)[0].count)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    extra = list(tags())
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=separator, lineterminator="\n")
    writer.writerow([*rows[0], *extra])
    for cells in rows[1:]:
        if cells:
            writer.writerow([*map(plant_cell, cells), *tags().values()])
    return written.getvalue()


def plant_cell(cell: str) -> str:
    """Add tags to a cell that holds a JSON object, with or without its braces."""
    if cell.startswith("{"):
        return json.dumps(json.loads(cell) | tags())
    if re.match(r'"[^"]+": ?"', cell):
        return f"{cell},{json.dumps(tags())[1:-1]}"
    return cell


def plant_parquet(content: bytes) -> bytes:
    """Add columns to a Parquet file, and tags to its texts that hold JSON objects."""
    table = pq.read_table(io.BytesIO(content))
    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            cells = [None if cell is None else plant_cell(cell) for cell in table.column(at).to_pylist()]
            table = table.set_column(at, field.name, pa.array(cells, pa.string()))
        elif pa.types.is_map(field.type):
            maps = [[*(cell or []), *tags().items()] for cell in table.column(at).to_pylist()]
            table = table.set_column(at, field.name, pa.array(maps, field.type))
    for key in tags():
        table = table.append_column(key, pa.array([tags()[key] for _ in range(table.num_rows)], pa.string()))
    target = io.BytesIO()
    pq.write_table(table, target)
    return target.getvalue()


def plant_protobuf(content: bytes, signal: str) -> bytes:
    """Add attributes to every message of an OTLP request that has some, and text where people's words may stand."""
    request = PROTOBUF[signal].FromString(content)
    _plant_message(request)
    return request.SerializeToString()


def _plant_message(message: Any) -> None:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        many = value if hasattr(value, "__len__") else [value]
        for each in many:
            if not isinstance(each, KeyValue) and hasattr(each, "DESCRIPTOR"):
                _plant_message(each)
    names = message.DESCRIPTOR.fields_by_name
    if "attributes" in names:
        for key, text in tags().items():
            message.attributes.add(key=key).value.string_value = text
        inner = message.attributes.add(key="details").value.kvlist_value.values.add(key="prompt")
        inner.value.string_value = secret("nested")
    if "events" in names:
        message.events.add(name=secret("event")).attributes.add(key="x").value.string_value = secret("event")
    if "description" in names:
        message.description = secret("description")
    if "body" in names:
        message.body.string_value = secret("log")
