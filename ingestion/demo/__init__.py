"""
A demo organization that a sustainability lead believes: a year of payloads as real clients would have sent them.

Everything goes through the inbox like anybody's data; nothing here writes records or figures. The same day gives the same bytes.
"""
