"""Emissions per what: functional units, and the business figures that some of them divide by."""
