"""Every example in a docstring of the core is true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import core.quantification

MODULES = [module.name for module in pkgutil.walk_packages(core.quantification.__path__, "core.quantification.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    found = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]

    assert len(found) > 30
