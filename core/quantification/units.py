"""Exact constants and the fixed integer units of cells and stored impacts, each defined once."""

from typing import Final

J_PER_KWH: Final = 3_600_000
MJ_PER_KWH: Final = 3.6
WH_PER_KWH: Final = 1_000
W_PER_KW: Final = 1_000
G_PER_KG: Final = 1_000
KG_PER_T: Final = 1_000
S_PER_H: Final = 3_600
L_PER_M3: Final = 1_000
KG_PER_LB: Final = 0.45359237
"""International avoirdupois pound (exact, 1959 agreement)."""
KG_PER_SHORT_TON: Final = 907.18474

INT64_MAX: Final = 2**63 - 1

# How many stored integers make one unit: cells and daily rows hold signed 64-bit integers only, so that no order of
# addition can change a sum.
PER_KWH: Final = 10**12  # pico-kWh
PER_HOUR: Final = 10**9  # nano-hours
PER_SECOND: Final = 10**9  # nanoseconds
PER_CURRENCY_UNIT: Final = 10**9
PER_KG: Final = 10**9  # nano-kilograms
PER_L: Final = 10**9  # nanolitres
PER_MJ: Final = 10**9
PER_SEAT_MONTH: Final = 10**9
FLOP_PER_GFLOP: Final = 10**9
