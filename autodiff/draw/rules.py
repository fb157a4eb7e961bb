# ruff: noqa: RUF001, RUF002 - the signs of mathematics are meant
"""How a derivative rule is written in words: a formula for each operation and operand.

The table is for reading, never for computing: gradients come from the operations' own rules.
In a formula ``y`` is the result and ``dy`` the upstream gradient; an operation that is not in
the table is written as the vector-Jacobian product that it is.
"""

from __future__ import annotations

__all__ = ["ELEMENTWISE", "rule_text"]

Shape = tuple[int, ...]

_UNARY = {
    "abs": "dy · sign(x)",
    "acos": "−dy / √(1 − x²)",
    "acosh": "dy / √(x² − 1)",
    "asin": "dy / √(1 − x²)",
    "asinh": "dy / √(x² + 1)",
    "astype": "dy",
    "atan": "dy / (1 + x²)",
    "atanh": "dy / (1 − x²)",
    "ceil": "0",
    "celu": "dy · exp(min(x, 0)/α)",
    "conj": "dy",
    "copy": "dy",
    "cos": "−dy · sin x",
    "cosh": "dy · sinh x",
    "elu": "dy · (x > 0 ? 1 : α exp x)",
    "erf": "dy · 2/√π · exp(−x²)",
    "erfc": "−dy · 2/√π · exp(−x²)",
    "exp": "dy · y",
    "expm1": "dy · (y + 1)",
    "floor": "0",
    "gelu": "dy · (Φ(x) + x · φ(x))",
    "hardsigmoid": "dy · [−3 < x < 3] / 6",
    "hardswish": "dy · (x ≥ 3 ? 1 : x > −3 ? (2x + 3)/6 : 0)",
    "hardtanh": "dy · [min < x < max]",
    "leaky_relu": "dy · (x > 0 ? 1 : slope)",
    "log": "dy / x",
    "log10": "dy / (x · ln 10)",
    "log1p": "dy / (1 + x)",
    "log2": "dy / (x · ln 2)",
    "logsigmoid": "dy · σ(−x)",
    "mish": "dy · (t + x · σ(x) · (1 − t²)), t = tanh(softplus x)",
    "nan_to_num": "dy · [x finite]",
    "negative": "−dy",
    "positive": "dy",
    "reciprocal": "−dy · y²",
    "relu": "dy · [x > 0]",
    "relu6": "dy · [0 < x < 6]",
    "round": "0",
    "selu": "dy · λ · (x > 0 ? 1 : α exp x)",
    "sigmoid": "dy · y · (1 − y)",
    "sign": "0",
    "silu": "dy · σ(x) · (1 + x · (1 − σ(x)))",
    "sin": "dy · cos x",
    "sinc": "dy · (cos πx − y) / x",
    "sinh": "dy · cosh x",
    "softplus": "dy · σ(βx)",
    "softsign": "dy / (1 + |x|)²",
    "sqrt": "dy / (2y)",
    "square": "dy · 2x",
    "tan": "dy · (1 + y²)",
    "tanh": "dy · (1 − y²)",
    "trunc": "0",
}
"""Formulas of ``dx`` for elementwise operations of one operand ``x``."""

_SEVERAL: dict[str, dict[str, str]] = {
    "add": {"x1": "dy", "x2": "dy"},
    "atan2": {"x1": "dy · x2 / (x1² + x2²)", "x2": "−dy · x1 / (x1² + x2²)"},
    "clip": {"x": "dy · [min ≤ x ≤ max]", "min": "dy · [x < min]", "max": "dy · [x > max]"},
    "copysign": {"x1": "dy · sign(x1) · sign(x2)", "x2": "0"},
    "divide": {"x1": "dy / x2", "x2": "−dy · y / x2"},
    "floor_divide": {"x1": "0", "x2": "0"},
    "hypot": {"x1": "dy · x1 / y", "x2": "dy · x2 / y"},
    "lerp": {"start": "dy · (1 − weight)", "end": "dy · weight", "weight": "dy · (end − start)"},
    "logaddexp": {"x1": "dy · exp(x1 − y)", "x2": "dy · exp(x2 − y)"},
    "masked": {"x": "dy · mask"},
    "maximum": {"x1": "dy · [x1 > x2]", "x2": "dy · [x2 > x1]"},
    "minimum": {"x1": "dy · [x1 < x2]", "x2": "dy · [x2 < x1]"},
    "multiply": {"x1": "dy · x2", "x2": "dy · x1"},
    "pow": {"x1": "dy · x2 · x1^(x2 − 1)", "x2": "dy · y · ln x1"},
    "remainder": {"x1": "dy", "x2": "−dy · floor(x1 / x2)"},
    "subtract": {"x1": "dy", "x2": "−dy"},
    "where": {"x1": "dy · [condition]", "x2": "dy · [not condition]"},
    "xlogy": {"x": "dy · ln y", "y": "dy · x / y"},
}
"""Formulas by operand for elementwise operations of several."""

ELEMENTWISE = frozenset(_UNARY) | frozenset(_SEVERAL)
"""Operations of which every result depends on one entry of each operand."""

_OTHERS: dict[str, dict[str, str]] = {
    "broadcast_to": {"x": "dy summed back"},
    "concat": {"arrays": "its part of dy"},
    "cumulative_prod": {"x": "Σ over later entries of dy · y / x"},
    "cumulative_sum": {"x": "dy summed from the end"},
    "diagonal": {"x": "dy on the diagonal"},
    "einsum": {"operands": "einsum(dy, the other operands)"},
    "expand_dims": {"x": "dy squeezed"},
    "flip": {"x": "dy flipped back"},
    "getitem": {"x": "dy added at the index"},
    "linalg.cholesky": {"x": "L⁻ᵀ Φ(Lᵀ dL) L⁻¹, symmetrised"},
    "linalg.det": {"x": "dy · det(X) · X⁻ᵀ"},
    "linalg.inv": {"x": "−Yᵀ @ dY @ Yᵀ"},
    "linalg.solve": {"x1": "−(X1⁻ᵀ @ dY) @ Yᵀ", "x2": "X1⁻ᵀ @ dY"},
    "linalg.vector_norm": {"x": "dy · x / y  (2-norm)"},
    "log_softmax": {"x": "dy − exp(y) · Σ dy"},
    "logsumexp": {"x": "dy · softmax(x)"},
    "matrix_transpose": {"x": "dYᵀ"},
    "max": {"x": "dy where x = y, shared"},
    "mean": {"x": "dy / n, broadcast"},
    "min": {"x": "dy where x = y, shared"},
    "moveaxis": {"x": "dy moved back"},
    "output": {"x": "one of the gradients"},
    "pad": {"x": "dy without the padding"},
    "permute_dims": {"x": "dy permuted back"},
    "prod": {"x": "dy · product of the other entries"},
    "repeat": {"x": "dy summed over the repeats"},
    "reshape": {"x": "dy reshaped back"},
    "roll": {"x": "dy rolled back"},
    "setitem": {"x": "dy, 0 at the index", "value": "dy at the index"},
    "softmax": {"x": "y · (dy − Σ dy · y)"},
    "sort": {"x": "dy put back in order"},
    "split": {"x": "the parts of dy joined"},
    "squeeze": {"x": "dy unsqueezed"},
    "stack": {"arrays": "its part of dy"},
    "std": {"x": "dy · (x − mean) / (y · (n − correction))"},
    "sum": {"x": "dy, broadcast"},
    "swapaxes": {"x": "dy swapped back"},
    "take": {"x": "dy added at the indices"},
    "take_along_axis": {"x": "dy added at the indices"},
    "tile": {"x": "dy summed over the tiles"},
    "topk": {"x": "dy put back in place"},
    "trace": {"x": "dy on the diagonal"},
    "tril": {"x": "lower triangle of dy"},
    "triu": {"x": "upper triangle of dy"},
    "unstack": {"x": "the parts of dy stacked"},
    "var": {"x": "dy · 2 (x − mean) / (n − correction)"},
    "vecdot": {"x1": "dy · x2", "x2": "dy · x1"},
}

_MATMUL: dict[tuple[bool, bool], dict[str, str]] = {
    (True, True): {"x1": "dX = dY @ Wᵀ", "x2": "dW = Xᵀ @ dY"},
    (True, False): {"x1": "dX = dy ⊗ w", "x2": "dw = Xᵀ @ dy"},
    (False, True): {"x1": "dx = dy @ Wᵀ", "x2": "dW = x ⊗ dy"},
    (False, False): {"x1": "dx = dy · w", "x2": "dw = dy · x"},
}
"""Formulas of ``Y = X @ W`` by whether ``X`` and ``W`` are matrices."""


def rule_text(
    operation: str, operand: str, position: int, shapes: list[Shape | None], out: Shape | None
) -> str:
    """Write a rule as a formula, with the actual shapes where there are any.

    Parameters
    ----------
    operation, operand : str
        ``"arrays[2]"`` for the third of several operands.
    position : int
        The operand's.
    shapes : list of tuple of int or None
        Each operand's shape, where it is known.
    out : tuple of int or None
        The result's shape.

    Examples
    --------
    >>> rule_text("tanh", "x", 0, [()], ())
    'dx = dy · (1 − y²)'
    >>> rule_text("matmul", "x1", 0, [(64, 128), (128, 10)], (64, 10))
    'dX = dY @ Wᵀ : (64,10)@(10,128) → (64,128)'
    >>> rule_text("add", "x2", 1, [(64, 10), (10,)], (64, 10))
    'dx2 = dy summed over axis 0 : (64,10) → (10,)'
    >>> rule_text("bessel", "x", 0, [(3,)], (3,))
    'dx = vjp of bessel : (3,) → (3,)'
    """
    own = shapes[position] if position < len(shapes) else None
    name = operand.partition("[")[0]
    if operation == "matmul" and out is not None and own is not None:
        x, w = (own if shape is None else shape for shape in shapes)  # a guess of its dimensions
        formula = _MATMUL[len(x) > 1, len(w) > 1][name]
        if None in shapes:
            return f"{formula} : {_shape(out)} → {_shape(own)}"
        return f"{formula}{_matmul_shapes(position, x, w, out)}"
    known = {"x": _UNARY[operation]} if operation in _UNARY else _SEVERAL.get(operation)
    formula = (known or _OTHERS.get(operation, {})).get(name, f"vjp of {operation}")
    if operation in ELEMENTWISE and own is not None and out is not None:
        formula += _summed(out, own)
    arrow = f" : {_shape(out)} → {_shape(own)}" if out or own else ""
    return f"d{operand} = {formula}{arrow}"


def _summed(out: Shape, own: Shape) -> str:
    """Say over which axes the gradient of an operand that was broadcast is summed."""
    extra = len(out) - len(own)
    axes = [
        str(axis)
        for axis, size in enumerate(out)
        if axis < extra or (size != 1 and own[axis - extra] == 1)
    ]
    if not axes:
        return ""
    return f" summed over {'axis' if len(axes) == 1 else 'axes'} {', '.join(axes)}"


def _matmul_shapes(position: int, x: Shape, w: Shape, out: Shape) -> str:
    if len(x) > 1 and len(w) > 1:
        left, right = (out, _transposed(w)) if position == 0 else (_transposed(x), out)
        return f" : {_shape(left)}@{_shape(right)} → {_shape((x, w)[position])}"
    if not out:
        return f" : {_shape(out)} → {_shape((x, w)[position])}"
    if len(x) > 1:
        left, right = (out, w) if position == 0 else (_transposed(x), out)
    else:
        left, right = (out, _transposed(w)) if position == 0 else (x, out)
    outer = (len(x) > 1) == (position == 0)
    sign = "⊗" if outer else "@"
    return f" : {_shape(left)}{sign}{_shape(right)} → {_shape((x, w)[position])}"


def _transposed(shape: Shape) -> Shape:
    return (*shape[:-2], shape[-1], shape[-2])


def _shape(shape: Shape | None) -> str:
    """Write a shape without spaces, as formulas have it.

    >>> _shape((64, 10)), _shape((3,)), _shape(None)
    ('(64,10)', '(3,)', '(?)')
    """
    return "(?)" if shape is None else str(shape).replace(" ", "")
