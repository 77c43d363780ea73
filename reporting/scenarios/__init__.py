"""Scenarios side by side: the answer as plain values, and in words."""
