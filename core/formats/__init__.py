"""How dates are written on pages, by language. Files, addresses and the API write ISO 8601 in every language."""
