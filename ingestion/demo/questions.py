"""The demo's scenarios: what three decisions would have come to, for the page that puts them side by side."""

from __future__ import annotations

from typing import Any, Final

SCENARIOS: Final[dict[str, list[dict[str, Any]]]] = {
    "Bedrock in Stockholm": [{"where": {"provider": ["aws"]}, "sets": {"region": "eu-north-1"}}],
    "30 % less training": [{"where": {"stage": ["training", "fine_tuning"]}, "scales": {"volume": 0.7}}],
    "A hall of PUE 1.15": [
        {
            "where": {"evidence": ["measured"]},
            "factors": {"pue": 1.15},
            "source": "quote for a hall with liquid cooling",
        }
    ],
}
