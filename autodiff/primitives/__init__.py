"""The tables of operations, each with its derivative rules, one file a family.

Importing this package declares all of them. It gathers the functions of the top level, under
whose names a file of the same name (``softmax``, ``einsum``) can't be had as an attribute: import
from the file.
"""

# ruff: noqa: F403, F405 - the families' public names, each listed in its __all__
from autodiff.primitives import decompositions, fft, linalg  # noqa: F401 - their names stay there
from autodiff.primitives.activations import *
from autodiff.primitives.arithmetic import *
from autodiff.primitives.complex import *
from autodiff.primitives.diagonals import *
from autodiff.primitives.einsum import *
from autodiff.primitives.error_function import *
from autodiff.primitives.exponential import *
from autodiff.primitives.indexing import *
from autodiff.primitives.joining import *
from autodiff.primitives.logic import *
from autodiff.primitives.norms import norm
from autodiff.primitives.products import *
from autodiff.primitives.reductions import *
from autodiff.primitives.rounding import *
from autodiff.primitives.scans import *
from autodiff.primitives.selection import *
from autodiff.primitives.sets import *
from autodiff.primitives.shapes import *
from autodiff.primitives.softmax import *
from autodiff.primitives.sorting import *
from autodiff.primitives.statistics import *
from autodiff.primitives.taking import *
from autodiff.primitives.trigonometric import *
from autodiff.primitives.windows import *

__all__ = [
    "abs", "acos", "acosh", "add", "all", "amax", "amin", "any", "argmax", "argmin", "argsort",
    "asin", "asinh", "astype", "atan", "atan2", "atanh", "bitwise_and", "bitwise_invert",
    "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "broadcast_arrays",
    "broadcast_to", "ceil", "celu", "chunk", "clip", "concat", "conj", "copy", "copysign", "cos",
    "cosh", "count_nonzero", "cross", "cumprod", "cumsum", "cumulative_max", "cumulative_prod",
    "cumulative_sum", "diag", "diagonal", "diff", "divide", "dot", "einsum", "elu", "equal", "erf",
    "erfc", "exp", "expand_dims", "expm1", "flatten", "flip", "floor", "floor_divide", "gather",
    "gelu", "getitem", "greater", "greater_equal", "hardsigmoid", "hardswish", "hardtanh", "hypot",
    "imag", "index_add", "inner", "isfinite", "isinf", "isnan", "kron", "leaky_relu", "lerp",
    "less", "less_equal", "log", "log1p", "log2", "log10", "log_softmax", "logaddexp",
    "logical_and", "logical_not", "logical_or", "logical_xor", "logsigmoid", "logsumexp", "masked",
    "matmul", "matrix_transpose", "max", "maximum", "mean", "median", "min", "minimum", "mish",
    "moveaxis", "multiply", "nan_to_num", "negative", "nextafter", "nonzero", "norm", "not_equal",
    "outer", "overlap_add", "pad", "permute_dims", "positive", "pow", "prod", "put_along_axis",
    "quantile", "ravel", "real", "reciprocal", "relu", "relu6", "remainder", "repeat", "reshape",
    "roll", "round", "scatter", "scatter_add", "searchsorted", "selu", "setitem", "sigmoid", "sign",
    "signbit", "silu", "sin", "sinc", "sinh", "sliding_window_view", "softmax", "softplus",
    "softsign", "sort", "split", "sqrt", "square", "squeeze", "stack", "std", "subtract", "sum",
    "swapaxes", "take", "take_along_axis", "tan", "tanh", "tensordot", "tile", "topk", "trace",
    "tril", "triu", "trunc", "unique", "unique_all", "unique_counts", "unique_inverse",
    "unique_values", "unstack", "var", "vecdot", "where", "xlogy",
]  # fmt: skip
