"""What stands on a page, as numbers."""

import re


def figure(text):
    """Read a shown figure: "3.64 t" is (3.64, "t")."""
    value, unit = re.match(r"([\d.,]+)\s*(\w+)", text.replace("\u202f", " ")).groups()
    return float(value.replace(",", "")), unit
