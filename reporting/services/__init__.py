"""Writes of what an organization aims at and publishes."""
