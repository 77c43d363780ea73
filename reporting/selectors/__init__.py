"""Reads for pages, API and exports: keyword arguments in, plain values and DataFrames out."""
