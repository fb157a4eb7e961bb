"""All schedules, in PyTorch's place."""

# ruff: noqa: F403 - the schedules' public names, each file's listed in its __all__
from nn.optim import one_cycle, plateau, schedules
from nn.optim.one_cycle import *
from nn.optim.plateau import *
from nn.optim.schedules import *

__all__: list[str] = []
__all__ += one_cycle.__all__
__all__ += plateau.__all__
__all__ += schedules.__all__
