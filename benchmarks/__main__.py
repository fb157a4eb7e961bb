"""All benchmarks: ``python -m benchmarks``, or ``make bench``; ``--processor-time`` as each has it."""

import sys

from benchmarks import overhead, training_step

overhead.main(sys.argv[1:])
training_step.main(sys.argv[1:])
