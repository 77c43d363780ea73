"""An organization's own names of units: the source setting `units`, from a unit as reported to one that a table knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingestion.sources.base import SettingError

SETTING: Final = "units"
MOST_UNITS: Final = 64
LONGEST_TEXT: Final = 200


def own_units(setting: Mapping[str, object]) -> dict[str, str]:
    """
    Read the setting: the reported unit, in lower case and with single spaces, to the unit that it stands for.

    Raises SettingError when it is no object of texts, or too long.

    >>> own_units({"units": {"Ktok  (in)": "1K tokens"}})
    {'ktok (in)': '1K tokens'}
    """
    value = setting.get(SETTING)
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > MOST_UNITS:
        raise SettingError(f"the source's setting {SETTING!r} must be an object of at most {MOST_UNITS} units")
    units: dict[str, str] = {}
    for reported, known in value.items():
        if not isinstance(known, str) or not 0 < len(known) <= LONGEST_TEXT or not str(reported).strip():
            raise SettingError(f"the source's setting {SETTING!r}: say what {reported!r} stands for, as text")
        units[plain(str(reported))] = known.strip()
    return units


def plain(unit: str) -> str:
    """Write a unit so that case and spaces do not tell two apart."""
    return " ".join(unit.lower().split())


def meant(unit: str | None, units: Mapping[str, str]) -> str | None:
    """
    Give the unit that a reported one stands for; itself where nothing was said of it.

    >>> meant("KTok (In)", {"ktok (in)": "1K tokens"}), meant("Hours", {})
    ('1K tokens', 'Hours')
    """
    return units.get(plain(unit), unit) if unit and units else unit
