"""All benchmarks: ``python -m benchmarks``, or ``make bench``."""

from benchmarks import overhead, training_step

overhead.main([])
training_step.main([])
