"""Storage and network of cloud services (methodology 2.3).

Waits for its caller: no record carries terabyte-hours or gigabytes yet; published cases hold the formulas.
"""

from __future__ import annotations

from core.quantification import units


def storage_energy_kwh(terabyte_hours: float, wh_per_terabyte_hour: float) -> float:
    """
    Return the energy of stored data, without the copies that a service keeps.

    >>> storage_energy_kwh(1000.0, 1.2)
    1.2
    """
    return terabyte_hours * wh_per_terabyte_hour / units.WH_PER_KWH


def network_energy_kwh(gigabytes: float, kwh_per_gigabyte: float) -> float:
    """
    Return the energy of data carried between data centres.

    >>> network_energy_kwh(1000.0, 0.001)
    1.0
    """
    return gigabytes * kwh_per_gigabyte
