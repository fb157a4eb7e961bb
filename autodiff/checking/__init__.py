"""Finite differences against the engine: gradient checking.

``variables`` lends the user's tensors to the check and gives them back; ``function``
evaluates at any point; ``differences`` estimates derivatives and how far each may be off;
``precision`` measures rounding; ``verdict`` compares; ``check`` puts these together along one
line, ``modes`` along all or along random ones; ``kinks`` knows where operations branch;
``locate`` finds the operation whose rule is wrong; ``report``, ``table`` and ``plot`` tell.

How good it is, measured
------------------------
One entry of an MLP's 9,900 gradient entries off by one per cent, 300 trials with the error
and 300 without, each checker with its own default tolerances (PyTorch 2.13, HIPS autograd
1.9.1, JAX 0.10.2; ``python -m benchmarks.gradcheck`` prints it):

========================================  ========  ===========  ============
checker                                   caught    entry named  false alarms
========================================  ========  ===========  ============
``autodiff.gradcheck(mode="fast")``       100 %     100 %        0 %
``torch.autograd.gradcheck(fast_mode)``   0 %                    0 %
HIPS ``check_grads(modes=["rev"])``       74.7 %                 0 %
``jax.test_util.check_grads``             67.3 %                 0 %
========================================  ========  ===========  ============

On the test suite's ten kinds of planted errors (one entry off by one per cent, in float64
and float32, a transposed gradient, a missing un-broadcast sum, a wrong sign, a missing
accumulation, an ignored upstream gradient, a rule wrong in float32 only, a cut graph), over
300 seeds each: none missed of 3,000 in full mode, none of 3,000 in fast mode
(``--planted``). On every test case of every primitive, with operands drawn five times anew
(``--primitives --trials 5``), nearly half of them in float32: none of 11,360 checks called
right gradients wrong; in 32, entries whose true value is zero or next to it could not be
resolved, and were not passed. Ten draws find one false alarm, a QR decomposition in float32
of an ill-conditioned row, whose rounding is larger than was measured.
"""

from autodiff.checking.driver import gradcheck
from autodiff.checking.report import Entry, GradientReport, Guilty, InputRow, Kink

__all__ = ["Entry", "GradientReport", "Guilty", "InputRow", "Kink", "gradcheck"]
