"""Linear algebra: the array API standard's ``linalg`` extension, and ``norm``.

Every function takes stacks of matrices in the last two axes, ``(..., M, N)``.

>>> import autodiff as ad
>>> ad.linalg.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0])
tensor([1. , 0.5], dtype=float32)
"""

from autodiff.primitives.decompositions import (
    EighResult,
    QRResult,
    SVDResult,
    cholesky,
    eigh,
    eigvalsh,
    qr,
    svd,
    svdvals,
)
from autodiff.primitives.linalg import (
    SlogdetResult,
    cofactors,
    cross,
    det,
    diagonal,
    inv,
    matmul,
    matrix_power,
    matrix_rank,
    matrix_transpose,
    outer,
    pinv,
    slogdet,
    solve,
    tensordot,
    trace,
    vecdot,
)
from autodiff.primitives.norms import matrix_norm, norm, vector_norm

__all__ = [
    "EighResult",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "cofactors",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]
