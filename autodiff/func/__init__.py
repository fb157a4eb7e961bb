"""Derivatives as functions of functions, which nest to any depth.

``grad``            gradient of a scalar function
``value_and_grad``  its value as well
``vjp``             value, and products with the transposed Jacobian
``jvp``             value, and a product with the Jacobian
``jacobian``        the Jacobian
``hessian``         the Hessian
``hvp``             value, and a product with the Hessian

Arguments may be tensors, ndarrays, floats, and nested dicts, lists and tuples of them; results
have the structure of the arguments, with tensors as leaves. (``autodiff.grad`` is another
thing: it differentiates tensors that were computed already.)
"""

from autodiff.func.jacobians import hessian, hvp, jacobian, jvp
from autodiff.func.transforms import grad, value_and_grad, vjp

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]
