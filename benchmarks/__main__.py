"""All benchmarks: ``python -m benchmarks``, or ``make bench``, with the options of each."""

import sys

from benchmarks import overhead, training_step

overhead.main(sys.argv[1:])
training_step.main(sys.argv[1:])
