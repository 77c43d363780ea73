"""Names as people gave them: shown as text, isolated from what stands beside them, and code as code."""

from __future__ import annotations

from django.template.loader import render_to_string

from reporting.templatetags.figures import with_code


def test_names_between_backticks_are_code_and_nothing_else_is_markup():
    assert with_code("Raise `max_age_days` <now>.") == "Raise <code>max_age_days</code> &lt;now&gt;."
    assert with_code("one ` alone") == "one ` alone"
    assert with_code("`<script>`") == "<code>&lt;script&gt;</code>"


def test_a_name_from_right_to_left_is_isolated():
    row = {"label": "צוות (1)", "address": "", "bar": 0.5, "cells": []}
    table = {"id": "by-team", "heading": "Teams", "first": "Team", "columns": [], "rows": [row], "csv": "?format=csv"}

    assert "<bdi>צוות (1)</bdi>" in render_to_string("components/ranked_table.html", {"table": table})


def test_one_record_is_singular():
    nothing = {"filters": [{"text": "Tier: gold", "records": 1, "address": "?"}], "records": 1200, "address": "?"}
    page = render_to_string("components/nothing.html", {"nothing": nothing})

    assert ">1 record<" in page
