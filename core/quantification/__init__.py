"""The pure core: activity and factors in, impacts out. No Django, no I/O, no clock."""
