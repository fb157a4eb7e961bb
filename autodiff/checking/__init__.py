"""Finite differences against the engine: gradient checking.

``variables`` lends the user's tensors to the check and gives them back, ``state`` all else that
the function holds; ``function`` evaluates at any point; ``differences`` estimates derivatives and
how far each may be off; ``precision`` measures rounding; ``verdict`` compares; ``check`` puts these
together along one line, ``modes`` along all or along random ones; ``kinks`` sees where operations
branch, ``subgradients`` judges there, operation by operation ``choices``; ``locate`` finds the
operation whose rule is wrong, ``second`` the one whose rule can't be differentiated again, and
``origins`` the user's line; ``report``, ``table`` and ``plot`` tell.

How good it is, measured
------------------------
One entry of an MLP's 9,900 gradient entries off by one per cent, 300 trials with the error
and 300 without, each checker with its own default tolerances (PyTorch 2.13, HIPS autograd
1.9.1, JAX 0.10.2; ``python -m benchmarks.gradcheck`` prints it, leaving out who is not installed):

========================================  ========  ===========  ============
checker                                   caught    entry named  false alarms
========================================  ========  ===========  ============
``autodiff.gradcheck(mode="fast")``       100 %     100 %        0 %
``torch.autograd.gradcheck(fast_mode)``   0 %                    0 %
HIPS ``check_grads(modes=["rev"])``       74.7 %                 0 %
``jax.test_util.check_grads``             67.3 %                 0 %
========================================  ========  ===========  ============

The wrong entry is named after some fifty evaluations more than a check that passes takes.

On the test suite's planted errors (``--planted --trials 100``): one entry off by one per cent, in
float64 and in float32, two off alike, a transposed gradient, a missing un-broadcast sum, a mean in
its place, a wrong sign, a missing accumulation, an upstream gradient ignored or clipped, a rule
wrong in float32 only, a cut graph, a wrong subgradient where several kinds of kinks meet. Misses,
of 100 seeds for each of 17 kinds:

=================  =========  =========
mode               missed     of
=================  =========  =========
``mode="full"``    0          1,700
``mode="fast"``    0          1,700
=================  =========  =========

The same command, on its right but hard functions: networks in float32 and float64, also saturated
ones and through a float32 cast, layer norm of large numbers, long sums, cancellation, a logarithm
from 1e-12 to 1e3, kinks at the point, next to it, undeclared and several at once, sorts, maxima and
clips with ties. False alarms, of 100 seeds for each of 28 kinds:

=================  ============  =========
mode               false alarms  of
=================  ============  =========
``mode="full"``    0             2,800
``mode="fast"``    0             2,800
=================  ============  =========

On every test case of every primitive, with operands drawn three times anew, nearly half of them in
float32 (``--primitives --trials 3``): none of 6,978 checks called right gradients wrong; in 16,
entries whose true value is zero or next to it could not be resolved, and were not passed.

What a passed check leaves open: in full mode errors below one per cent of entries that the
differences resolve no better, and what the report counts as unresolved or skipped; in fast mode
also errors in entries so small that no projection shows them, which the report counts too; and at
a kink another subgradient than the documented one.
"""

from autodiff.checking.driver import gradcheck
from autodiff.checking.report import Entry, GradientReport, Guilty, InputRow, Kink

__all__ = ["Entry", "GradientReport", "Guilty", "InputRow", "Kink", "gradcheck"]
