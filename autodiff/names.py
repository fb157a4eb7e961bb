"""What users of NumPy, PyTorch and JAX look for here, and what they find instead.

Data alone, for the messages of errors: of the package, of tensors, and of options.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NoReturn

__all__ = [
    "MODULE",
    "OPERANDS",
    "OPTIONS",
    "PACKAGE",
    "TENSOR",
    "CalledHere",
    "called_here",
    "options_here",
]

PACKAGE = {
    "absolute": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh",
    "arctan": "atan", "arctan2": "atan2", "arctanh": "atanh", "array": "tensor",
    "as_tensor": "asarray", "bernoulli": "random.bernoulli", "bitwise_not": "bitwise_invert",
    "bmm": "matmul", "cat": "concat", "cholesky": "linalg.cholesky", "clamp": "clip",
    "concatenate": "concat", "conjugate": "conj", "det": "linalg.det", "div": "divide",
    "eq": "equal", "expand": "broadcast_to", "fabs": "abs", "fix": "trunc",
    "from_numpy": "asarray", "ge": "greater_equal", "gt": "greater", "hessian": "func.hessian",
    "index_select": "take", "inference_mode": "no_grad", "inv": "linalg.inv",
    "invert": "bitwise_invert", "jacfwd": "func.jacobian", "jacobian": "func.jacobian",
    "jacrev": "func.jacobian", "jvp": "func.jvp", "le": "less_equal",
    "left_shift": "bitwise_left_shift", "lt": "less", "manual_seed": "random.seed",
    "masked_fill": "where", "mm": "matmul", "mod": "remainder", "movedim": "moveaxis",
    "mul": "multiply", "mv": "matmul", "ne": "not_equal", "neg": "negative",
    "normal": "random.normal", "permute": "permute_dims", "pinv": "linalg.pinv", "power": "pow",
    "qr": "linalg.qr", "rand": "random.rand", "randint": "random.integers",
    "randn": "random.randn", "randperm": "random.permutation",
    "right_shift": "bitwise_right_shift", "rint": "round", "slogdet": "linalg.slogdet",
    "solve": "linalg.solve", "stop_gradient": "Tensor.detach", "sub": "subtract",
    "svd": "linalg.svd", "swapdims": "swapaxes", "transpose": "permute_dims",
    "true_divide": "divide", "uniform": "random.uniform", "unsqueeze": "expand_dims",
    "value_and_grad": "func.value_and_grad", "vdot": "vecdot", "view": "reshape",
    "vjp": "func.vjp",
}  # fmt: skip
"""Functions of the package by their other names."""

MODULE = {
    "allclose": "call numpy.allclose(x, y)",
    "autograd": "it is autodiff.grad; autograd.Function is @autodiff.primitive",
    "bincount": "it is index_add(zeros(n), 0, x, 1) here",
    "cdist": "it is norm(x[:, None] - y, axis=-1) here",
    "device": "there is one, the CPU: leave it out",
    "distributions": "draw with autodiff.random, and write the density out",
    "functional_call": "del module.weight, then module.weight = another",
    "hstack": "it is concat(arrays, axis=1) here",
    "is_tensor": "it is isinstance(x, autodiff.Tensor) here",
    "isclose": "call numpy.isclose(x, y)",
    "load": "it is nn.load",
    "masked_select": "it is x[mask] here",
    "multinomial": "it is random.choice(n, size, p=probabilities) here",
    "nn": "write `import nn`",
    "one_hot": "it is eye(n)[labels] here",
    "optim": "write `import nn`: it is nn.optim",
    "rand_like": "it is random.uniform(size=x.shape) here",
    "randn_like": "it is random.normal(size=x.shape) here",
    "repeat_interleave": "it is repeat(x, repeats, axis) here",
    "save": "it is nn.save",
    "vmap": "operations take whole batches: give the arrays an axis more",
    "vstack": "it is concat(arrays, axis=0) here",
}
"""What belongs elsewhere, and where."""

TENSOR = {
    "add_": "it is x += y here",
    "bmm": "it is matmul(y), or x @ y, here",
    "bool": "it is astype(autodiff.bool) here",
    "clamp": "it is clip(min, max) here",
    "clamp_": "it is x[...] = x.clip(min, max), inside no_grad(), here",
    "clamp_max": "it is clip(max=...) here",
    "clamp_min": "it is clip(min=...) here",
    "conjugate": "it is conj() here",
    "contiguous": "tensors need none: leave it out",
    "copy": "it is clone() here",
    "cpu": "tensors live on the CPU: leave it out",
    "cuda": "tensors live on the CPU: leave it out",
    "detach_": "it is detach(), a new tensor, here",
    "dim": "it is ndim, without parentheses, here",
    "div": "it is divide(y), or x / y, here",
    "div_": "it is x /= y here",
    "double": "it is astype(autodiff.float64) here",
    "eq": "it is x == y here",
    "expand": "it is autodiff.broadcast_to(x, shape) here",
    "expand_as": "it is autodiff.broadcast_to(x, y.shape) here",
    "fill": "it is x[...] = value, inside no_grad(), here",
    "fill_": "it is x[...] = value, inside no_grad(), here",
    "float": "it is astype(autodiff.float32) here",
    "ge": "it is x >= y here",
    "grad_fn": "it is node here",
    "gt": "it is x > y here",
    "half": "it is astype(autodiff.float16) here",
    "index_add": "it is autodiff.index_add(x, axis, index, values) here",
    "index_select": "it is take(indices, axis) here",
    "int": "it is astype(autodiff.int32) here",
    "inverse": "it is autodiff.linalg.inv(x) here",
    "itemsize": "it is dtype.itemsize here",
    "le": "it is x <= y here",
    "long": "it is astype(autodiff.int64) here",
    "lt": "it is x < y here",
    "masked_fill": "it is autodiff.where(mask, value, x) here",
    "masked_fill_": "it is x[mask] = value here",
    "mm": "it is matmul(y), or x @ y, here",
    "movedim": "it is moveaxis(source, destination) here",
    "mul": "it is multiply(y), or x * y, here",
    "mul_": "it is x *= y here",
    "mv": "it is matmul(y), or x @ y, here",
    "narrow": "it is a slice, x[start : start + length], here",
    "ne": "it is x != y here",
    "neg": "it is negative(), or -x, here",
    "new_ones": "it is autodiff.ones(shape, dtype=x.dtype) here",
    "new_zeros": "it is autodiff.zeros(shape, dtype=x.dtype) here",
    "normal_": "it is nn.init.normal_(x) here",
    "numel": "it is size, without parentheses, here",
    "scatter_": "it is x[index] = values, inside no_grad(), here",
    "scatter_add": "it is autodiff.scatter_add(x, index, values, axis) here",
    "select": "it is x[:, index], an index on the axis, here",
    "sub": "it is subtract(y), or x - y, here",
    "sub_": "it is x -= y here",
    "t": "it is T, without parentheses, here",
    "to": "it is astype(dtype) here; tensors live on the CPU",
    "type": "it is astype(dtype) here",
    "type_as": "it is astype(y.dtype) here",
    "unbind": "it is unstack(axis=...) here",
    "uniform_": "it is nn.init.uniform_(x) here",
    "unsqueeze": "it is expand_dims(axis) here",
    "view_as": "it is reshape(y.shape) here",
    "where": "it is autodiff.where(condition, x, y) here",
    "zero_": "it is x[...] = 0, inside no_grad(), here; x.zero_grad() clears x.grad",
}
"""Attributes of tensors."""


OPTIONS = {
    "ddof": ("correction",), "diagonal": ("k",), "dim": ("axis", "axes"),
    "dims": ("axis", "axes"), "keepdim": ("keepdims",), "size": ("shape",),
    "unbiased": ("correction",),
}  # fmt: skip
"""Options by their other names; the first that a function has is meant."""

OPERANDS = ("input", "other", "self")
"""What other libraries call operands, which are given by position here."""


def called_here(name: str) -> str:
    """Return what to say of a name that the package lacks; nothing of one that is unknown.

    >>> called_here("cat"), called_here("dog")
    ('; it is called concat here', '')
    """
    if name in PACKAGE:
        return f"; it is called {PACKAGE[name]} here"
    return f"; {MODULE[name]}" if name in MODULE else ""


def options_here(given: Iterable[str], parameters: Collection[str]) -> str:
    """Return what to say of a call's keywords that a function knows by another name.

    >>> options_here(["dim", "keepdim"], ["x", "axis", "keepdims"])
    '; dim is called axis here; keepdim is called keepdims here'
    """
    said = ""
    for name in given:
        if name in parameters:
            continue
        ours = [other for other in OPTIONS.get(name, ()) if other in parameters]
        if ours:
            said += f"; {name} is called {ours[0]} here"
        elif name in OPERANDS:
            said += f"; operands such as {name} are given by position here"
    return said


class CalledHere:
    """An attribute that a class lacks, and whose error says what to write instead.

    A ``__getattr__`` would say it too, but makes Python read *every* attribute of the class
    two or three times as slowly. ``hasattr`` is False.
    """

    def __init__(self, advice: str) -> None:
        self.advice = advice

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> NoReturn:
        kind = (
            f"type object {owner.__name__!r}" if instance is None else f"{owner.__name__!r} object"
        )
        message = f"{kind} has no attribute {self.name!r}; {self.advice}"
        raise AttributeError(message, name=self.name)
