"""Energy methods, one a module: from the measures of a use to terms of IT energy (methodology section 2)."""
