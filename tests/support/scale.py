"""The tests that only ``make scale`` runs."""

import os

import pytest

IS_LONG = "SCALE" in os.environ
"""Whether make scale runs the tests."""

long = pytest.mark.skipif(not IS_LONG, reason="make scale runs this")
