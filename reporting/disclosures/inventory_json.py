"""`inventory-json`: the inventory itself, in canonical form with its own hash."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from reporting.disclosures import Inventory

NAME: Final = "inventory-json"


def canonical(inventory: Inventory) -> bytes:
    """Write JSON with sorted keys, no spaces, UTF-8: the same inventory gives the same bytes anywhere."""
    return json.dumps(inventory, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def content_hash(inventory: Inventory) -> str:
    """
    Hash an inventory without its own hash: sha256 of the canonical form, hex.

    >>> content_hash({"evidence": {"sha256": "x"}}) == content_hash({"evidence": {}})
    True
    """
    evidence = {name: value for name, value in inventory["evidence"].items() if name != "sha256"}
    return hashlib.sha256(canonical({**inventory, "evidence": evidence})).hexdigest()


def stamped(inventory: Inventory) -> Inventory:
    """Return the inventory with its hash in ``evidence.sha256``."""
    return {**inventory, "evidence": {**inventory["evidence"], "sha256": content_hash(inventory)}}


def render(inventory: Inventory) -> dict[str, bytes]:
    """Give the files of this format by name."""
    return {"inventory.json": canonical(inventory) + b"\n"}
