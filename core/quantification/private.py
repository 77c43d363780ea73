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

from core.quantification import prose
from core.quantification.remembering import remembered

PERSON: Final = "person"
CONTENT: Final = "content"

MAIL: Final = "(mail address, not kept)"
KEY: Final = "(key, not kept)"
UNREADABLE: Final = "(unreadable, not kept)"

KEY_LENGTH: Final = 200
"""A longer key is judged by its end."""

DEPTH: Final = 32
"""Objects nested deeper than this are not kept: nothing that is read lies there."""

_PERSON_KEY: Final = re.compile(
    r"(?:^|[_/])(?:"
    r"(?:end_?)?user|users?_?ids?|user_?identifier|user_?name|user_?(?:e_?)?mail|user_?hash|user_?agent|user_?alias|user_?key"
    r"|user_?(?:display|principal)_?name|upn"
    r"|enduser_(?:id|pseudo_id|role|scope)|e_?mails?|(?:e_?)?mail_?address|login|person|employee(?:_?id)?|full_?name"
    r"|(?:first|last|given|family|nick)_?name|surname|phone(?:_?number)?|ip_?address|(?:client|source|remote|requester)_?ip"
    r"|(?:client|source|remote)_?addr(?:ess)?|x_forwarded_for|created_?by|creator|author|requester|assignee|contact"
    r"|api_?keys?(?:_?(?:id|hash|alias|name))?|(?:secret|private)_?(?:access_?)?key|authorization|passwo?r?d|secret|credentials?"
    r"|(?:access|auth|bearer|session|refresh)_?token"
    r")$"
)
_CONTENT_KEY: Final = re.compile(
    r"^(?:(?:[a-z0-9]+_)*(?:prompts?|completions?|messages?|arguments|instructions?|transcripts?|tool_calls?)"
    r"|(?:[a-z0-9]+_)?(?:inputs?|outputs?|responses?|contents?|texts?|body)|tool_results?|function_calls?|choices"
    r"|proxy_server_request|documents?|questions?|answers?|conversations?|chat_?history|reasoning|thinking|prompt_?templates?"
    r"|value)$"
)
_MAIL_HOST: Final = re.compile(r"(?:@|%40)(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![^\W_])")
_MAIL_BOX: Final = re.compile(r"[\w.+'-]{1,64}\Z")
KEY_OF_KNOWN_MAKE: Final = (
    r"(?<![A-Za-z0-9])(?:(?:g?sk|pk|rk)[-_][\w-]{16,}|wl_[\w-]{16,}|A[KS]IA[0-9A-Z]{16}|AIza[\w-]{30,}|gh[opsur]_\w{20,}"
    r"|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abpr]-[\w-]{10,}|hf_[A-Za-z0-9]{20,}|xai-[\w-]{20,}|nvapi-[\w-]{20,}"
    r"|eyJ[\w-]{8,512}\.eyJ[\w-]{8,}(?:\.[\w-]*)?)"
)
"""Of OpenAI, Anthropic, Stripe, Groq; ours; AWS, Google, GitHub, GitLab, Slack, Hugging Face, xAI, NVIDIA; JSON Web Tokens."""
KEY_BEGINS: Final = (
    *("sk-", "sk_", "pk-", "pk_", "rk-", "rk_", "wl_", "AKIA", "ASIA", "AIza", "ghp_", "gho_", "ghs_", "ghu_", "ghr_"),
    *("github_pat_", "glpat-", "xox", "hf_", "xai-", "nvapi-", "eyJ"),
)
"""No text without one of these holds such a key; looking for texts is faster than for patterns."""
_SECRET: Final = re.compile(KEY_OF_KNOWN_MAKE, re.ASCII)
_NUMBERED: Final = re.compile(r"(?:[./:\[]\d+\]?)+$")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def names_a_person(key: str) -> bool:
    """
    Tell whether a label or tag key names a person or a credential; neither its value nor a hash of it is kept.

    `user:` is also what AWS puts before the tags that people make: `user:Name` names a machine.

    >>> [names_a_person(key) for key in ("user", "User-Email", "litellm.end_user", "user:team", "users", "team")]
    [True, True, True, False, False, False]
    >>> [names_a_person(key) for key in ("user:Name", "user:email", "user:id", "aws:createdBy", "endUserId")]
    [False, True, True, True, True]
    """
    return _names_a_person(key.strip()[-KEY_LENGTH:])


@lru_cache(maxsize=16_384)
def _names_a_person(plain: str) -> bool:
    if plain.lower() == "user:name":
        return False
    spelled = {re.sub(r"[\s.:\-]+", "_", each.lower()) for each in (plain, _CAMEL.sub("_", plain))}
    return any(_PERSON_KEY.search(each) is not None for each in spelled)


def holds_content(key: str) -> bool:
    """
    Tell whether a key holds what people wrote or a model answered, unless its value is a number.

    >>> [holds_content(key) for key in ("gen_ai.prompt.0.content", "input.value", "toolArguments", "prompt_tokens")]
    [True, True, True, False]
    """
    return _holds_content(key.strip()[-KEY_LENGTH:])


@lru_cache(maxsize=16_384)
def _holds_content(key: str) -> bool:
    plain = _CAMEL.sub("_", _NUMBERED.sub("", key)).lower().replace("-", "_")
    parts = re.split(r"[./:]", plain)
    if parts[-1] == "value":
        return len(parts) > 1 and parts[-2] in ("input", "output")
    return _CONTENT_KEY.match(parts[-1]) is not None


def is_private(key: str) -> bool:
    """Tell whether a key names a person, a credential, or what people wrote."""
    return names_a_person(key) or holds_content(key)


def names_private_value(value: object) -> bool:
    """
    Tell whether a text is, or holds, a mail address, a key of well-known make, or JSON with private keys.

    >>> names_private_value("ask ada@example.org"), names_private_value("claude@20240229")
    (True, False)
    """
    return isinstance(value, str) and scrub_text(value) != value


def masked(text: str) -> str:
    """
    Put a remark in the place of mail addresses and keys.

    >>> masked("run by ada@example.org")
    'run by (mail address, not kept)'
    """
    if "@" in text or "%40" in text:
        text = _without_mail(text)
    return _SECRET.sub(KEY, text) if any(begin in text for begin in KEY_BEGINS) else text


def _without_mail(text: str) -> str:
    """Look for hosts first and for the mailbox before them then: in proportion to the text, whatever it holds."""
    kept, end = [], 0
    for host in _MAIL_HOST.finditer(text):
        box = _MAIL_BOX.search(text, max(end, host.start() - 64), host.start())
        if box is not None:
            kept += [text[end : box.start()], MAIL]
            end = host.end()
    return "".join([*kept, text[end:]])


def without_private(value: Any, depth: int = 0, allowed: Set[str] = frozenset()) -> Any:
    """
    Take private keys out of a JSON value, however deep: of objects, of pairs ``{"key", "value"}``, of JSON inside a text; and
    prose out of what holds a word of a closed list.

    Numbers stay, whatever their key, unless it is an address: ``{"input": 12}`` counts tokens. Keys in ``allowed`` only sound
    private.

    >>> without_private({"labels": [{"key": "user", "value": "ada"}, {"key": "team", "value": "nlp"}], "prompt": "hi"})
    {'labels': [{'key': 'team', 'value': 'nlp'}]}
    """
    if depth > DEPTH:
        return None
    if isinstance(value, Mapping):
        if _is_private_entry(value):
            return None
        return {
            key: _worded(key, without_private(item, depth + 1, allowed))
            for key, item in value.items()
            if key in allowed or not _is_private_pair(key, item)
        }
    if isinstance(value, list):
        return [without_private(item, depth + 1, allowed) for item in value if not _is_private_entry(item)]
    if isinstance(value, tuple):
        return tuple(without_private(item, depth + 1, allowed) for item in value)
    return scrub_text(value, allowed) if isinstance(value, str) else value


def _worded(key: object, value: Any) -> Any:
    """Hold the text or texts under a key that takes a word of a closed list to that."""
    if isinstance(value, str | list) and isinstance(key, str) and prose.holds_a_word(key):
        return prose.brief(value, key)
    return value


def _is_private_pair(key: object, value: object) -> bool:
    if not isinstance(key, str):
        return False
    if names_a_person(key) or names_private_value(key):
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


def scrub_text(text: str, allowed: Set[str] = frozenset()) -> str:
    """
    Take private keys out of a cell that holds a JSON object or list, with or without its braces; mask the rest.

    >>> scrub_text('{"team": "nlp", "user": "ada"}'), scrub_text('"team": "nlp","user": "ada"'), scrub_text("nlp")
    ('{"team": "nlp"}', '"team": "nlp"', 'nlp')
    """
    start = text.lstrip()[:1]
    if not start or start not in '{["':
        return masked(text)
    return _scrubbed(text, allowed)


@remembered(16_384)
def _scrubbed(text: str, allowed: Set[str]) -> str:
    start = text.lstrip()[:1]
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
