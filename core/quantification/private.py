"""
What is never kept of what senders write: people, their secrets, and what they said to a model.

Keys tell most of it (``user``, ``api_key``, ``gen_ai.input.messages``); mail addresses and keys of well-known make are
recognized wherever they stand in labels and in what quarantine shows. Plain functions, so that every door and the
quarantine apply the same rule.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Set
from functools import lru_cache
from typing import Any, Final

PERSON: Final = "person"
CONTENT: Final = "content"

MAIL: Final = "(mail address, not kept)"
KEY: Final = "(key, not kept)"
UNREADABLE: Final = "(unreadable, not kept)"

DEPTH: Final = 32
"""Objects nested deeper than this are not kept: nothing that is read lies there."""

_PERSON_KEY: Final = re.compile(
    r"(?:^|[_/])(?:"
    r"(?:end_?)?user|users?_?ids?|user_?identifier|user_?name|user_?(?:e_?)?mail|user_?hash|user_?agent|user_?alias|user_?key"
    r"|enduser_(?:id|role|scope)|e_?mails?|(?:e_?)?mail_?address|login|person|employee(?:_?id)?|full_?name"
    r"|first_?name|last_?name|phone(?:_?number)?|ip_?address|client_?ip|requester_?ip|created_?by|creator|author"
    r"|requester|assignee|contact"
    r"|api_?keys?(?:_?(?:id|hash|alias|name))?|authorization|password|secret|access_?token"
    r")$"
)
_CONTENT_KEY: Final = re.compile(
    r"^(?:(?:[a-z0-9]+_)*(?:prompts?|completions?|messages?|arguments|instructions?|transcripts?|tool_calls?)"
    r"|(?:[a-z0-9]+_)?(?:inputs?|outputs?|responses?|contents?|texts?|body)|tool_results?|function_calls?|choices"
    r"|proxy_server_request|documents?|value)$"
)
_MAIL: Final = re.compile(r"[\w.+'-]{1,64}@(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}\b", re.IGNORECASE)
_SECRET: Final = re.compile(
    r"\b(?:(?:sk|pk|rk)[-_][\w-]{16,}|wl_[\w-]{16,}|AKIA[0-9A-Z]{16}|gh[opsur]_\w{20,}|xox[abpr]-[\w-]{10,}"
    r"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*)"
)
_NUMBERED: Final = re.compile(r"(?:[./:\[]\d+\]?)+$")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@lru_cache(maxsize=16_384)
def names_a_person(key: str) -> bool:
    """
    Tell whether a label or tag key names a person or a credential; neither its value nor a hash of it is kept.

    `user:` is also what AWS puts before the tags that people make: `user:Name` names a machine.

    >>> [names_a_person(key) for key in ("user", "User-Email", "litellm.end_user", "user:team", "users", "team")]
    [True, True, True, False, False, False]
    >>> [names_a_person(key) for key in ("user:Name", "user:email", "user:id", "aws:createdBy")]
    [False, True, True, True]
    """
    plain = key.strip().lower()
    if plain == "user:name":
        return False
    return _PERSON_KEY.search(re.sub(r"[\s.:\-]+", "_", plain)) is not None


@lru_cache(maxsize=16_384)
def holds_content(key: str) -> bool:
    """
    Tell whether a key holds what people wrote or a model answered, unless its value is a number.

    >>> [holds_content(key) for key in ("gen_ai.prompt.0.content", "input.value", "toolArguments", "prompt_tokens")]
    [True, True, True, False]
    """
    plain = _CAMEL.sub("_", _NUMBERED.sub("", key.strip())).lower().replace("-", "_")
    parts = re.split(r"[./:]", plain)
    if parts[-1] == "value":
        return len(parts) > 1 and parts[-2] in ("input", "output")
    return _CONTENT_KEY.match(parts[-1]) is not None


def is_private(key: str) -> bool:
    """Tell whether a key names a person, a credential, or what people wrote."""
    return names_a_person(key) or holds_content(key)


def names_private_value(value: object) -> bool:
    """
    Tell whether a text is, or holds, a mail address or a key of well-known make.

    >>> names_private_value("ask ada@example.org"), names_private_value("claude@20240229")
    (True, False)
    """
    return isinstance(value, str) and masked(value) != value


def masked(text: str) -> str:
    """
    Put a remark in the place of mail addresses and keys.

    >>> masked("run by ada@example.org")
    'run by (mail address, not kept)'
    """
    if "@" in text:
        text = _MAIL.sub(MAIL, text)
    return _SECRET.sub(KEY, text)


def without_private(value: Any, depth: int = 0, allowed: Set[str] = frozenset()) -> Any:
    """
    Take private keys out of a JSON value, however deep: of objects, and of lists of ``{"key", "value"}`` pairs.

    Numbers stay, whatever their key: ``{"input": 12}`` counts tokens. Keys in ``allowed`` only sound private.

    >>> without_private({"labels": [{"key": "user", "value": "ada"}, {"key": "team", "value": "nlp"}], "prompt": "hi"})
    {'labels': [{'key': 'team', 'value': 'nlp'}]}
    """
    if depth > DEPTH:
        return None
    if isinstance(value, Mapping):
        return {
            key: without_private(item, depth + 1, allowed)
            for key, item in value.items()
            if key in allowed or not _is_private_pair(key, item)
        }
    if isinstance(value, list):
        return [without_private(item, depth + 1, allowed) for item in value if not _is_private_entry(item)]
    if isinstance(value, tuple):
        return tuple(without_private(item, depth + 1, allowed) for item in value)
    return masked(value) if isinstance(value, str) else value


def _is_private_pair(key: object, value: object) -> bool:
    if not isinstance(key, str):
        return False
    if names_a_person(key):
        return True
    return not (value is None or isinstance(value, bool | int | float)) and holds_content(key)


def _is_private_entry(item: object) -> bool:
    """Tell whether an entry of a list is a pair of a private key and its value."""
    if isinstance(item, Mapping):
        names = {str(name).lower(): name for name in item}
        key = item.get(names.get("key", names.get("name", "")))
        has_value = any(str(name).lower().endswith("value") or str(name).lower() == "values" for name in item)
        return isinstance(key, str) and has_value and is_private(key)
    return isinstance(item, tuple) and len(item) == 2 and _is_private_pair(item[0], item[1])


@lru_cache(maxsize=16_384)
def scrub_text(text: str, allowed: Set[str] = frozenset()) -> str:
    """
    Take private keys out of a cell that holds a JSON object or list, with or without its braces; mask the rest.

    >>> scrub_text('{"team": "nlp", "user": "ada"}'), scrub_text('"team": "nlp","user": "ada"'), scrub_text("nlp")
    ('{"team": "nlp"}', '"team": "nlp"', 'nlp')
    """
    start = text.lstrip()[:1]
    if not start or start not in '{["':
        return masked(text)
    braces = start == '"' and '":' in text
    try:
        value = json.loads(f"{{{text}}}" if braces else text, object_pairs_hook=_first_of_each)
    except (ValueError, RecursionError):
        return UNREADABLE if _mentions_private(text) else masked(text)
    kept = without_private(value, allowed=allowed)
    if kept == value:
        return text
    written = json.dumps(kept, ensure_ascii=False)
    return written[1:-1] if braces else written


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; of equal keys the first counts, as it does where tags are read."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found


def _mentions_private(text: str) -> bool:
    return masked(text) != text or any(is_private(word) for word in re.findall(r"[\w.:/-]+", text))
