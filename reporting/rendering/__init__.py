"""Documents to print, made from plain values: PDF by Typst with the project's own fonts; no Django, no network, no clock."""
