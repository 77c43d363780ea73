"""Wire formats: one file each, bytes in, activity table out. Plain Python, no Django."""
