"""What holds for every test."""

from __future__ import annotations

import pytest

import autodiff as ad


@pytest.fixture(autouse=True)
def _seeded():
    """Weights that a test draws do not depend on which tests ran before."""
    ad.random.seed(0)
