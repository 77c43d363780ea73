"""German: 3. Juli 2026 in sentences, 03.07.2026 14:02:10 in tables (DIN 5008)."""

DATE_FORMAT = "j. N Y"
YEAR_MONTH_FORMAT = "N Y"
MONTH_DAY_FORMAT = "j. N"
SHORT_DATE_FORMAT = "d.m.Y"
SHORT_DATETIME_FORMAT = "d.m.Y H:i"
DATETIME_FORMAT = "d.m.Y H:i:s"
DATE_INPUT_FORMATS = ["%Y-%m-%d", "%d.%m.%Y"]  # the first is what a date field of a browser takes
