"""Cases of ``autodiff/primitives/linalg.py``, ``decompositions.py`` and ``norms.py``.

Signs of singular and eigenvectors are free: the views square them, which no sign changes.
"""

from __future__ import annotations

import importlib

import numpy as np

from tests.cases import Case, away, distinct, normal, positive_definite, well_conditioned

SQUARE = [(3, 3), (1, 1), (0, 0), (2, 3, 3), (2, 1, 2, 2), (0, 2, 2)]
RECTANGLES = [(4, 2), (2, 4), (3, 3), (2, 3, 2), (2, 2, 3), (3, 1), (1, 3)]
SOLVES = [
    ((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (3,)), ((2, 3, 3), (2, 3, 2)),
    ((2, 3, 3), (3, 2)), ((3, 3), (2, 3, 2)), ((0, 0), (0,)), ((2, 1, 2, 2), (3, 2, 1)),
]  # fmt: skip


def squares(xp, result):
    """What does not depend on the sign of each vector."""
    return tuple(part * part for part in result)


def products(xp, result):
    """What does not depend on the signs, and tells the vectors' elements apart."""
    u, s, vh = result
    return ((u * s[..., None, :]) @ vh[..., : s.shape[-1], :], u * u, s, vh * vh)


def thin(xp, result):
    u, s, vh = result
    k = s.shape[-1]
    return u[..., :k] ** 2, s, vh[..., :k, :] ** 2


def positive_qr(xp, result):
    """Square what has the sign of R's diagonal."""
    q, r = result
    return q * q, r * r, q @ r


def logarithm(xp, result):
    return result[1]


def of_rank(rank, *shape):
    def make(rng):
        *batch, m, n = shape
        return rng.standard_normal((*batch, m, rank)) @ rng.standard_normal((*batch, rank, n))

    return make


def symmetric(*shape):
    def make(rng):
        x = rng.standard_normal(shape)
        return x + np.swapaxes(x, -1, -2)

    return make


def oracle(name, **options):
    """PyTorch's function of that name, imported when it is called."""

    def call(*operands):
        return getattr(importlib.import_module("torch").linalg, name)(*operands, **options)

    return call


def square(name, make=well_conditioned, **options):
    return [Case(name, (make(*s),), torch=oracle(name[7:]), name=f"{s}", **options) for s in SQUARE]


CASES = [
    *square("linalg.inv"),
    *square("linalg.det"),
    Case("linalg.det", (of_rank(2, 3, 3),), name="rank 2 of 3"),
    Case("linalg.det", (of_rank(1, 3, 3),), name="rank 1 of 3"),
    Case("linalg.det", (of_rank(2, 2, 4, 4),), name="rank 2 of 4"),
    Case("linalg.det", (np.zeros((2, 2)),), name="zero"),
    Case("linalg.det", (np.eye(3),), name="identity"),
    *(Case("linalg.cofactors", (well_conditioned(*s),), name=f"{s}") for s in SQUARE),
    *square("linalg.slogdet", view=logarithm),
    Case("linalg.slogdet", (normal(2, 3, 3),), view=logarithm, name="of either sign"),
    *(Case("linalg.solve", (well_conditioned(*a), normal(*b)), name=f"{a}-{b}",
           torch=None if len(b) == 1 and len(a) > 2 else oracle("solve")) for a, b in SOLVES),
    *(Case("linalg.pinv", (normal(*s),), name=f"{s}", torch=oracle("pinv")) for s in RECTANGLES),
    Case("linalg.pinv", (normal(2, 0),), name="empty"),
    Case("linalg.matrix_rank", (normal(2, 3, 4),), name="full"),
    Case("linalg.matrix_rank", (of_rank(2, 3, 3),), {"rtol": 1e-6}, name="2"),
    *square("linalg.cholesky", positive_definite),
    Case("linalg.cholesky", (positive_definite(2, 3, 3),), {"upper": True},
         torch=oracle("cholesky", upper=True), name="upper"),
    *square("linalg.eigh", symmetric, view=squares),
    *square("linalg.eigvalsh", symmetric),
    *(Case("linalg.qr", (normal(*s),), view=positive_qr, torch=oracle("qr"), name=f"{s}")
      for s in [*RECTANGLES, (2, 0, 2), (0, 0)]),
    *(Case("linalg.qr", (normal(*s),), {"mode": "complete"}, view=positive_qr,
           torch=oracle("qr", mode="complete"), name=f"{s} complete") for s in [(2, 4), (3, 3)]),
    *(Case("linalg.svd", (normal(*s),), {"full_matrices": False}, view=products,
           torch=oracle("svd", full_matrices=False), name=f"{s}") for s in [*RECTANGLES, (0, 0)]),
    *(Case("linalg.svd", (normal(*s),), view=thin, torch=oracle("svd"), name=f"{s} full")
      for s in [(4, 2), (2, 2, 3)]),
    *(Case("linalg.svdvals", (normal(*s),), torch=oracle("svdvals"), name=f"{s}",
           reference=lambda x: np.linalg.svd(x, compute_uv=False))
      for s in [*RECTANGLES, (0, 0), (2, 0, 3)]),
    *(Case("linalg.vector_norm", (make(*s),), {"axis": axis, "keepdims": keep, "ord": ord},
           torch=None if 0 in s else oracle("vector_norm", ord=ord, dim=axis, keepdim=keep),
           name=f"{s} axis={axis} keepdims={keep} ord={ord}")
      for s, axis, keep in [((3,), None, False), ((), None, False), ((2, 3), -1, True),
                            ((2, 3, 4), (0, -1), False), ((2, 3), None, True), ((0, 3), 0, False)]
      for make, ord in [(normal, 2), (away, 1), (distinct, np.inf), (distinct, -np.inf), (away, 0),
                        (away, 3), (away, 1.5), (away, 0.5), (away, -1)]
      if 0 not in s or ord in (2, 1, 3)),
]  # fmt: skip
