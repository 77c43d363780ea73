"""
Prose where none belongs: fields that hold a word of a closed list, a unit, an identifier or a name, and were sent a text.

Clients put prompts into any field. A field that takes one of a few words (an operation, a reason, a tier, a state) keeps what
looks like one; a unit, a place and any other field a few words more; of anything longer only a remark stays. Names and
identifiers may hold a dozen words, since people give them; a longer name is masked, a longer identifier hashed, so that it
still tells records apart.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

TEXT: Final = "(text, not kept)"

WORD_LENGTH: Final = 64
MOST_WORDS: Final = 3
"""Words in one of a closed list: `Savings Plan`, `CANCELLED by 1000`."""
MOST_WORDS_OF_A_PLACE: Final = 5
"""Words in a unit, a region, a category or a time: `1M Input Tokens`, `Other (AI and Machine Learning)`."""
MOST_WORDS_OF_A_NAME: Final = 12
"""Words in a name or an identifier: processors have seven."""
MOST_UNSPACED: Final = 36
"""Characters in a name, of scripts that write sentences without spaces: a word of them has two or three."""
MOST_UNSPACED_OF_A_WORD: Final = 12
"""The same in a word, a unit or a place: `華東2（上海）`, `アジアパシフィック`."""
_WITHOUT_SPACES: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Thai, Lao, Burmese, Khmer; Chinese and Japanese."""

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD_KEY: Final = re.compile(
    r"(?:^|_)(?:operation(?:_name)?|(?:finish|stop)_reasons?|tier|status|state|mode|stage|hosting|evidence|boundary|basis"
    r"|currency|frequency|(?<!resource_)(?<!usage_)type|class|level|role|grain|granularity|object|speed|context_window|inference_geo"
    r"|cache_hit|system|temporality|country_iso_code|on_cloud|techniques|flags|decision|pricing_model|pricing_term"
    r"|currency_code|region_code)$"
)
_PLACE_KEY: Final = re.compile(
    r"(?:^|_)(?:units?|unit_of_measure|region(?:_id)?|zone|location|provider(?:_name)?|plan|os|family|(?<!meter_)(?<!meter_sub_)(?:sub)?category)$"
)
_NAME_KEY: Final = re.compile(
    r"(?:^|_)(?:names?|alias|title|models?|slug|team|project|application|task|environment|site|hardware|product|description"
    r"|cpu|gpu|host|service|denial_reason|line_item)$"
)
_CODE_KEY: Final = re.compile(r"(?:^|_)usage_type$")
_TAGS: Final = ("labels", "tags", "attributes")
"""Objects whose keys people choose: what stands under them are names."""
_ID_KEY: Final = re.compile(r"(?:^|_)(?:u?u?id|ids|run|request|trace|account|cluster|corrects|snapshot|hash)$")

Brief = Callable[[str], str]


def holds_a_word(key: str) -> bool:
    """
    Tell whether a key's value is a word of a short list, a unit, a place or a code, however the key is spelled.

    >>> [holds_a_word(key) for key in ("gen_ai.operation.name", "ConsumedUnit", "finish_reasons", "team", "ResourceType")]
    [True, True, True, False, False]
    """
    return rule_of(key) in (word, place, code)


def word(text: str) -> str:
    """
    Keep what looks like a word of a closed list.

    >>> word("text_completion"), word("CANCELLED by 1000"), word("write a poem about my neighbour")
    ('text_completion', 'CANCELLED by 1000', '(text, not kept)')
    """
    return text if _is_short(text, MOST_WORDS) else TEXT


def place(text: str) -> str:
    """
    Keep what looks like a unit, a region or a category.

    >>> place("US East (N. Virginia)"), place("Московская область"), place("please write a long poem about her")
    ('US East (N. Virginia)', 'Московская область', '(text, not kept)')
    """
    return text if _is_short(text, MOST_WORDS_OF_A_PLACE) else TEXT


def short(text: str) -> str:
    """Keep a few words, as of a place, or a single one of any length."""
    return place(text) if " " in text.strip() else name(text)


def code(text: str) -> str:
    """
    Keep what looks like a code of a bill, which are long: usage types name service, model, region and meter.

    >>> code("USE1-Claude4.5Sonnet-input-tokens-cross-region-global-cache-write-1h"), code("where may she keep her flat now")
    ('USE1-Claude4.5Sonnet-input-tokens-cross-region-global-cache-write-1h', '(text, not kept)')
    """
    return short(text)


def name(text: str) -> str:
    """Keep what may be a name that people gave: a dozen words on one line."""
    return TEXT if is_prose(text) else text


def identifier(text: str) -> str:
    """Keep what may be an identifier; hash what is prose, so that it still tells one record from another."""
    return f"h:{hashlib.sha256(text.encode(errors='replace')).hexdigest()}" if is_prose(text) else text


def is_prose(text: str) -> bool:
    """Tell whether a text is longer than names are, has lines, or is a sentence of a script without spaces."""
    if len(text) <= MOST_WORDS_OF_A_NAME:
        return False
    return len(text.split()) > MOST_WORDS_OF_A_NAME or "\n" in text.strip() or _unspaced(text) > MOST_UNSPACED


def _is_short(text: str, words: int) -> bool:
    return (
        len(text) <= WORD_LENGTH
        and len(text.split()) <= words
        and "\n" not in text
        and _unspaced(text) <= MOST_UNSPACED_OF_A_WORD
    )


def _unspaced(text: str) -> int:
    """Count the characters of scripts that write sentences without spaces."""
    return 0 if text.isascii() else len(_WITHOUT_SPACES.findall(text))


@lru_cache(maxsize=16_384)
def rule_of(key: str) -> Brief:
    """
    Give the rule for the texts under a key.

    >>> [rule_of(key).__name__ for key in ("usage.unit", "startTime", "litellm_call_id", "x_ChargeType", "model")]
    ['place', 'short', 'identifier', 'word', 'name']
    """
    plain = re.sub(r"[\s./:-]+", "_", _CAMEL.sub("_", key.strip()[-200:])).lower()
    if _WORD_KEY.search(plain):
        return word
    if _PLACE_KEY.search(plain):
        return place
    if _CODE_KEY.search(plain):
        return code
    if _ID_KEY.search(plain):
        return identifier
    return name if _NAME_KEY.search(plain) else short


def brief(value: Any, key: str = "") -> Any:
    """
    Hold every text of a JSON value to the rule of its key; texts of a list have the list's.

    >>> brief({"status": "failed, since my neighbour was told", "model": "gpt-4o", "n": 1, "finish_reasons": ["stop"]})
    {'status': '(text, not kept)', 'model': 'gpt-4o', 'n': 1, 'finish_reasons': ['stop']}
    """
    if isinstance(value, str):
        plain = len(value) <= WORD_LENGTH and value.isascii() and " " not in value and value.isprintable()
        return value if plain else rule_of(key)(value)
    if isinstance(value, Mapping):
        return {
            inner: brief(item, "name" if key in _TAGS else inner if isinstance(inner, str) else "")
            for inner, item in value.items()
            if not (isinstance(inner, str) and is_prose(inner))
        }
    return [brief(item, key) for item in value] if isinstance(value, list | tuple) else value
