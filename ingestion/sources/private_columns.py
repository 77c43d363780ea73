"""
Arrow columns without what is private: texts by their distinct values; dictionaries, maps, lists and structs at any depth.

A column in which nothing has to go stays the same object.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any, Final

import pyarrow as pa

from core.quantification.private import is_private, without_private
from core.quantification.prose import brief, holds_a_word
from ingestion.sources.private_texts import Cleaner, Rules, mentions_private

KEYS: Final = ("key", "name")
"""Fields of structs that name their value."""


def scrub_batch(batch: pa.RecordBatch, rules: Rules) -> pa.RecordBatch:
    """Empty the columns that are not stored and clean the others; the same batch when nothing had to go."""
    given = batch.columns  # new objects each time it is asked for
    columns = [_scrubbed(name, column, rules) for name, column in zip(batch.schema.names, given, strict=True)]
    if all(new is old for new, old in zip(columns, given, strict=True)):
        return batch
    return pa.RecordBatch.from_arrays(columns, schema=nullable(batch.schema))


def nullable(schema: pa.Schema) -> pa.Schema:
    """Give a schema in which any column may be empty."""
    return pa.schema([field.with_nullable(nullable=True) for field in schema])


def _scrubbed(name: str, column: Any, rules: Rules) -> Any:
    if not rules.stores(name):
        return column if _is_empty(column) else pa.nulls(len(column), column.type)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if is_text(kind):
        return _clean_texts(column, kind, rules.cleaner(name), None if rules.is_special(name) else rules.allowed)
    if not pa.types.is_nested(kind) or not _mentions(column, rules.allowed):
        return column
    values = column.to_pylist()
    cleaned = [without_private(value, allowed=rules.allowed) for value in values]
    return column if cleaned == values else pa.array(cleaned, column.type)


def _is_empty(column: Any) -> bool:
    return column.null_count == len(column) or (is_text(column.type) and not any(column.unique().to_pylist()))


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a type is one of texts."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _clean_texts(column: Any, kind: pa.DataType, cleaner: Cleaner, allowed: Set[str] | None) -> Any:
    """Clean texts by their distinct values; where `allowed` is given only after a look at all of them at once."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    if allowed is not None and not mentions_private("\n".join(filter(None, texts)).encode(), allowed):
        return column
    clean = [cleaner(text) if text else text for text in texts]
    if clean == texts:
        return column
    return pa.array(clean, kind).take(encoded.indices).cast(column.type)


def _is_prose(name: str, column: Any) -> bool:
    """Tell whether a column that takes words of a closed list holds something else."""
    if not (is_text(column.type) and holds_a_word(name)):
        return False
    texts = [text for text in column.unique().to_pylist() if text]
    return bool(brief(texts, name) != texts)


def _mentions(column: Any, allowed: Set[str], *, names: bool = False) -> bool:
    """Tell whether a nested column may hold something private; `names`: its texts name other values."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _mentions(column.dictionary, allowed, names=names)
    if is_text(kind):
        texts = [text for text in column.unique().to_pylist() if text]
        return (names and any(map(is_private, texts))) or mentions_private("\n".join(texts).encode(), allowed)
    if pa.types.is_map(kind):
        return _mentions(column.keys, allowed, names=True) or _mentions(column.items, allowed)
    if pa.types.is_struct(kind):
        return any(
            (is_private(field.name) and field.name not in allowed and part.null_count < len(part))
            or _mentions(part, allowed, names=field.name.lower() in KEYS)
            or _is_prose(field.name, part)
            for field, part in zip(kind, column.flatten(), strict=True)
        )
    return pa.types.is_nested(kind) and _mentions(column.flatten(), allowed)
