"""
Carbon intensity as services publish it, read into slots: pure parsing, one service a module, no network and no clock.

What a slot becomes (a factor, a series to plan by) is for others to decide; here only its meaning is settled.
"""
