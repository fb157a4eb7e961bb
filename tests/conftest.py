"""What holds for every test."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

import autodiff as ad

# The same examples at each run, none of them against the clock: a change is to blame for what
# fails. ``pytest --hypothesis-profile=new`` looks for new ones.
settings.register_profile("new", deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("same", settings.get_profile("new"), derandomize=True, database=None)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def _seeded():
    """Weights that a test draws do not depend on which tests ran before."""
    ad.random.seed(0)
