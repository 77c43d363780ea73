"""Targets as plain functions: what one asks for, its path, whether it is kept, and when its base year is recalculated."""
