"""Cases of ``autodiff/primitives/products.py`` and ``einsum.py``."""

from __future__ import annotations

import importlib
import operator

import numpy as np

from tests.cases import Case, normal

MATMUL = [
    ((3,), (3,)), ((0,), (0,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4)),
    ((2, 0), (0, 3)), ((0, 2), (2, 3)), ((5, 2, 3), (5, 3, 4)),
    # one operand for a whole batch, on either side
    ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((5, 2, 3), (3,)), ((3,), (5, 3, 4)),
    ((2, 0, 2, 3), (3, 4)), ((2, 5, 1, 3), (3, 1)),
    # batches that broadcast; sizes on both sides of where folding pays
    ((4, 1, 2, 3), (2, 3, 2)), ((2, 3, 2), (4, 1, 2, 3)), ((2, 1, 1, 3), (1, 3, 3, 4)),
    ((3, 1, 4, 4), (1, 2, 4, 1)), ((1, 2, 3), (5, 3, 4)), ((5, 2, 3), (1, 3, 4)),
    ((2, 3, 1, 4), (3, 4, 5)), ((3, 5, 4), (2, 3, 4, 1)), ((1, 2, 3), (3, 4)),
    ((1, 1, 2), (3, 2, 2)), ((3, 1, 2, 2), (1, 2, 2)),
    # columns by rows
    ((3, 1), (1, 4)), ((5, 3, 1), (5, 1, 2)), ((5, 1, 3, 1), (2, 1, 4)), ((3, 1), (1, 0)),
]  # fmt: skip


EINSUM = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ba,cb", (2, 3), (4, 2)),
    ("i,i", (3,), (3,)), ("i,i->i", (3,), (3,)), ("i,j->ij", (3,), (2,)), ("i,j->", (3,), (2,)),
    ("bhqd,bhkd->bhqk", (2, 3, 4, 2), (2, 3, 5, 2)), ("bqd,dhk->bhqk", (2, 3, 4), (4, 2, 3)),
    ("bi,bi->b", (4, 3), (4, 3)), ("ij,ij->", (2, 3), (2, 3)), ("ij,kj->ki", (2, 3), (4, 3)),
    ("...ij,...jk->...ik", (5, 2, 3), (3, 4)), ("...ij,...jk", (2, 1, 2, 3), (4, 3, 2)),
    ("i...,i...->...", (3, 2), (3, 4, 2)), ("...,...", (2, 3), (3,)), ("i...->...i", (2, 3, 4)),
    ("ij->ji", (2, 3)), ("ij->", (2, 3)), ("ij->i", (2, 3)), ("ji", (2, 3)), ("", ()),
    ("ii", (3, 3)), ("ii->i", (3, 3)), ("iij->j", (2, 2, 3)), ("iii->i", (2, 2, 2)),
    ("iji->ij", (2, 3, 2)), ("ii,jj->ij", (2, 2), (3, 3)), ("ii,i->", (3, 3), (3,)),
    ("iij,jk->ik", (2, 2, 3), (3, 2)), ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
    ("i,ij,j->", (2,), (2, 3), (3,)), ("ab,bc,cd,da->", (2, 3), (3, 2), (2, 4), (4, 2)),
    ("ij,k->j", (2, 3), (4,)), ("ij,->ij", (2, 3), ()), (",", (), ()),
    ("i,i,i->i", (3,), (3,), (3,)),
    ("ij,jk->ik", (2, 0), (0, 3)), ("ij,jk->ik", (0, 2), (2, 3)), ("ij->i", (3, 0)),
    ("ij,ij->ij", (1, 3), (2, 3)), ("ij,jk->ik", (2, 1), (3, 4)), ("ij,ij->i", (2, 1), (2, 3)),
    ("...i,...i->...", (1, 3, 2), (4, 1, 2)), ("bij,bjk->bik", (1, 2, 3), (4, 3, 2)),
    ("i,i->", (1,), (3,)), ("ab,ab,ab->a", (2, 1), (2, 3), (1, 3)), ("...a->...", (2, 3)),
]  # fmt: skip


def oracle(text, *operands):
    return importlib.import_module("torch").einsum(text, *operands)


CASES = [
    *(Case("matmul", (normal(*a), normal(*b)), torch=operator.matmul, name=f"{a}-{b}")
      for a, b in MATMUL),
    Case("matmul", (normal(4, 3), [[1.0, 2.0], [0.5, 1.5], [3.0, 1.0]]), name="list"),
    *(Case("tensordot", (normal(*a), normal(*b)), {"axes": axes}, name=f"{a}-{b}-{axes}")
      for a, b, axes in [
        ((2, 3), (3, 4), 1), ((2, 3, 4), (3, 4, 2), 2), ((2,), (3, 2), 0), ((2, 3), (2, 3), 2),
        ((2, 3, 4), (4, 2, 5), ((0, 2), (1, 0))), ((2, 3, 4), (4, 5, 3), ((-1, 1), (0, -1))),
        ((2, 3), (3, 0), 1), ((0, 3), (3, 2), 1), ((3, 2), (4, 3), ((0,), (1,))), ((), (2,), 0),
        ((3, 2), (4, 3), (0, 1)),
      ]),
    *(Case("vecdot", (normal(*a), normal(*b)), {"axis": axis}, name=f"{a}-{b}-{axis}")
      for a, b, axis in [
        ((3,), (3,), -1), ((2, 3), (3,), -1), ((3, 2), (3, 1), 0), ((2, 3, 4), (3, 1), -2),
        ((3,), (3, 4), 0), ((2, 0), (0,), -1),
      ]),
    *(Case("cross", (normal(*a), normal(*b)), {"axis": axis}, name=f"{a}-{b}-{axis}")
      for a, b, axis in [
        ((3,), (3,), -1), ((2, 3), (3,), -1), ((3, 2), (3, 1), 0), ((3, 4), (3,), 0),
        ((5, 1, 3, 1), (2, 3, 2), -2), ((0, 3), (0, 3), -1),
      ]),
    *(Case("trace", (normal(*shape),), options, name=f"{shape}-{options}")
      for shape, options in [
        ((3, 3), {}), ((2, 4), {"offset": 1}), ((4, 2, 3), {"offset": -1}), ((0, 0), {}),
        ((2, 3, 4), {"axis1": -1, "axis2": 0}), ((2, 2), {"offset": 5}),
      ]),
    *(Case("einsum", (text, *(normal(*shape) for shape in shapes)), reference=np.einsum,
           torch=None if text in ("", ",") else oracle, name=f"{text}-{shapes}")
      for text, *shapes in EINSUM),
]  # fmt: skip
