"""Functions with planted errors, and honest ones that are hard: what a checker must tell apart.

Each maker takes a random generator and returns ``(f, inputs)``. ``WRONG`` must fail, ``RIGHT``
must pass; ``tests/gradcheck/test_gradcheck_planted.py`` runs them over many seeds, and
``python -m benchmarks.gradcheck`` prints the rates.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import autodiff as ad

FIRST = 30

some_and_all = pytest.mark.parametrize(
    "part", ["some seeds", pytest.param("the others", marks=pytest.mark.slow)]
)
"""Marks a test over many seeds, of which the first take few seconds."""


def seeds_in(part, count):
    """Return the seeds of one part: hundreds take long in some tests."""
    return range(min(FIRST, count)) if part == "some seeds" else range(FIRST, count)


@ad.primitive
def off_by_one_percent(xp, x, /, where):
    """The identity, whose rule is off by one per cent at one flat position."""
    return x * 1.0


@off_by_one_percent.vjp
def _(xp, g, x_shape, where):
    factor = np.ones(int(np.prod(x_shape)))
    factor[where] = 1.01
    return g * factor.reshape(x_shape).astype(g.dtype)


@ad.primitive
def transposing_matmul(xp, a, b, /):
    """A product of square matrices, whose rule for ``a`` gives the transposed gradient."""
    return xp.matmul(a, b)


@transposing_matmul.vjp("a")
def _(xp, g, b):
    return xp.matrix_transpose(xp.matmul(g, xp.matrix_transpose(b)))


@transposing_matmul.vjp("b")
def _(xp, g, a):
    return xp.matmul(xp.matrix_transpose(a), g)


@ad.primitive
def rows_plus_bias(xp, x, bias, /):
    """A bias added to every row, whose rule forgets to sum over the rows."""
    return x + bias


@rows_plus_bias.vjp("x")
def _(xp, g):
    return g


@rows_plus_bias.vjp("bias")
def _(xp, g):
    return g[0]


@ad.primitive
def wrong_sign(xp, x1, x2, /):
    """A difference, whose rule for ``x2`` has the wrong sign."""
    return x1 - x2


@wrong_sign.vjp("x1")
def _(xp, g):
    return g


@wrong_sign.vjp("x2")
def _(xp, g):
    return g


@ad.primitive
def upstream_ignored(xp, x, /):
    """The square, whose rule forgets the upstream gradient."""
    return x * x


@upstream_ignored.vjp
def _(xp, g, x):
    return 2 * x


@ad.primitive
def upstream_clipped(xp, x, /):
    """The square, whose rule clips the upstream gradient to -1 to 1."""
    return x * x


@upstream_clipped.vjp
def _(xp, g, x):
    return 2 * x * xp.clip(g, -1, 1)


@ad.primitive
def row_plus_bias(xp, x, bias, /):
    """A bias added to every row, whose rule takes the rows' mean for their sum."""
    return x + bias


@row_plus_bias.vjp("x")
def _(xp, g):
    return g


@row_plus_bias.vjp("bias")
def _(xp, g):
    return xp.mean(g, axis=0)


@ad.primitive
def two_off_alike(xp, x, /, where):
    """The identity, whose rule is off by the same number at two flat positions."""
    return x * 1.0


@two_off_alike.vjp
def _(xp, g, x_shape, where):
    off = np.zeros(int(np.prod(x_shape)))
    off[list(where)] = 0.01
    return g + off.reshape(x_shape).astype(g.dtype)


@ad.primitive
def wrong_in_float32(xp, x, /):
    """The cube, whose rule has another factor where the operand is float32."""
    return x * x * x


@wrong_in_float32.vjp
def _(xp, g, x):
    return g * (3.001 if x.dtype == np.float32 else 3) * x * x


@ad.primitive
def second_order_lost(xp, x, /):
    """The cube, whose rule is right but can't be differentiated again."""
    return x * x * x


@second_order_lost.vjp
def _(xp, g, x):
    frozen = x.detach() if isinstance(x, ad.Tensor) else x
    return g * 3 * frozen * frozen


@ad.primitive
def black_box_abs(xp, x, /):
    """The absolute value, which the checker can't see into."""
    return xp.abs(x)


@black_box_abs.vjp
def _(xp, g, x):
    return g * xp.sign(x)


def _one_percent(rng):
    x = rng.standard_normal((2, 3))
    where = int(rng.integers(x.size))
    return lambda x: ad.tanh(off_by_one_percent(x, where)), x


def _one_percent_float32(rng):
    f, x = _one_percent(rng)
    return f, x.astype(np.float32)


def _transposed(rng):
    return transposing_matmul, (rng.standard_normal((2, 2)), rng.standard_normal((2, 2)))


def _no_unbroadcast(rng):
    x, bias = rng.standard_normal((3, 2)), rng.standard_normal(2)
    return lambda x, bias: ad.tanh(rows_plus_bias(x, bias)), (x, bias)


def _sign(rng):
    return wrong_sign, (rng.standard_normal((1, 3)), rng.standard_normal((2, 3)))


def _no_accumulation(rng):
    return lambda x: (ad.exp(x) * x.detach()).sum(), rng.standard_normal(3)


def _no_upstream(rng):
    return upstream_ignored, rng.standard_normal(3)


def _no_upstream_scalar(rng):
    return upstream_ignored, rng.standard_normal(())


def _clipped_upstream(rng):
    return upstream_clipped, rng.standard_normal(3)


def _mean_for_sum(rng):
    return row_plus_bias, (rng.standard_normal((2, 1)), rng.standard_normal(1))


def _two_alike(rng):
    where = tuple(rng.permutation(6)[:2])
    return lambda x: two_off_alike(x, where).sum(), rng.standard_normal((2, 3))


def _float32_rule(rng):
    return lambda x: wrong_in_float32(x).sum(), rng.standard_normal(4).astype(np.float32)


def _float32_rule_by_a_weight(rng):
    weight = ad.tensor(rng.standard_normal(4).astype(np.float32), requires_grad=True)

    def f(x):
        return (wrong_in_float32(x.astype(weight.dtype)) * weight).sum()

    return f, rng.standard_normal(4)


def _cut_off(rng):
    return lambda x, y: (ad.exp(x.detach()) + y).sum(), (
        rng.standard_normal(2),
        rng.standard_normal(2),
    )


WRONG = {
    "one entry off by 1 %": _one_percent,
    "one entry off by 1 %, float32": _one_percent_float32,
    "a transposed gradient": _transposed,
    "a missing un-broadcast sum": _no_unbroadcast,
    "a wrong sign": _sign,
    "a missing accumulation": _no_accumulation,
    "upstream ignored": _no_upstream,
    "upstream ignored, 0-d": _no_upstream_scalar,
    "upstream clipped": _clipped_upstream,
    "a mean for an un-broadcast sum": _mean_for_sum,
    "two entries off alike": _two_alike,
    "a rule wrong in float32 only": _float32_rule,
    "a rule wrong in float32 only, by a captured weight": _float32_rule_by_a_weight,
    "no gradient at all": _cut_off,
}


def mlp(rng, sizes=(3, 5, 4, 2), batch=4, dtype=np.float64, activation=None):
    """A classifier's loss as a function of its weights and biases."""
    activation = activation or ad.tanh
    x = rng.standard_normal((batch, sizes[0])).astype(dtype)
    labels = np.eye(sizes[-1], dtype=dtype)[rng.integers(0, sizes[-1], batch)]
    parameters = []
    for m, n in pairwise(sizes):
        parameters += [rng.standard_normal((m, n)) / np.sqrt(m), 0.1 * rng.standard_normal(n)]

    def loss(*parameters):
        h = ad.asarray(x)
        for i in range(0, len(parameters), 2):
            h = h @ parameters[i] + parameters[i + 1]
            if i + 2 < len(parameters):
                h = activation(h)
        return -(labels * ad.log_softmax(h, axis=-1)).sum() / batch

    return loss, [p.astype(dtype) for p in parameters]


def _relu_zero_bias(rng):
    x = rng.standard_normal((2, 3))
    x[rng.integers(2), rng.integers(3)] = 0.0
    return lambda x: (ad.relu(x) * np.arange(1.0, 7).reshape(2, 3)).sum(), x


def _ties(rng):
    x, weights = rng.integers(0, 3, 5).astype(float), rng.standard_normal(5)
    return lambda x: (ad.sort(x) * weights).sum(), x


def _near_kink(rng):
    return lambda x: abs(x).sum(), rng.standard_normal(5) * 10.0 ** rng.integers(-9, 0, 5)


def _black_box_kink(rng):
    x = rng.standard_normal(5)
    x[rng.integers(5)] = 0.0
    return lambda x: black_box_abs(x).sum(), x


def _max_ties(rng):
    return lambda x: ad.max(x, axis=1).sum(), rng.integers(0, 3, (2, 3)).astype(float)


def _clip_at_bound(rng):
    x = rng.choice([-1.0, 0.3, 1.0], 6) + 0.0
    return lambda x: ad.clip(x, -1.0, 1.0).sum(), x


def _layer_norm(rng):
    x = (100 + rng.standard_normal((4, 6))).astype(np.float32)

    def f(x):
        centred = x - ad.mean(x, axis=-1, keepdims=True)
        return centred / ad.sqrt(ad.mean(centred * centred, axis=-1, keepdims=True) + 1e-5)

    return f, x


def _long_sum(rng):
    return lambda x: ad.exp(x).mean(), rng.standard_normal(300).astype(np.float32)


def _cancelling(rng):
    x = rng.standard_normal(5)
    return lambda x: ((x + 1e5) * (x + 1e5) - 2e5 * x - 1e10).sum(), x


def _tiny(rng):
    return lambda x: ad.log(x).sum(), 10.0 ** rng.uniform(-12, 3, 6)


def _branching(rng):
    def f(x):
        return ad.exp(x).sum() if float(x.array[0]) > 0 else ad.sin(x).sum()

    return f, rng.standard_normal(3)


def _float32_layer(rng, inputs=np.float64):
    weight = ad.tensor(rng.standard_normal((8, 2)).astype(np.float32), requires_grad=True)
    return lambda x: ad.tanh(x @ weight.mT), rng.standard_normal((6, 2)).astype(inputs)


def _saturated(rng):
    """A float32 network with weights as large as training makes them, of float64 inputs."""
    sizes = ((2, 16), (16,), (16, 2))
    w1, b, w2 = (
        ad.tensor((4 * rng.standard_normal(size)).astype(np.float32), requires_grad=True)
        for size in sizes
    )
    return lambda x: ad.tanh(x @ (w1 * 1.0) + (b * 1.0)) @ (w2 * 1.0), rng.standard_normal((6, 2))


def _flat_tanh(rng):
    """One number where tanh is nearly flat: ``1 - y * y`` has lost most of its digits."""
    return lambda x: ad.tanh(x).sum(), rng.uniform(5, 7, 1).astype(np.float32)


def _sure_classifier(rng):
    """A float32 classifier that is right and sure, as trained ones are: the gradient cancels."""
    x = rng.standard_normal((8, 2)).astype(np.float32)
    truth = (x[:, 0] > 0).astype(np.int64)
    x[:, 0] += 2 * np.sign(x[:, 0])
    slopes = np.array([[-2.0, 2.0], [0.1, -0.1]], np.float32)

    def f(weight):
        picked = ad.take_along_axis(ad.log_softmax(x @ weight), truth[:, None], axis=1)
        return -picked.mean()

    return f, slopes


def _cast_to_weight(rng):
    weight = ad.tensor(rng.standard_normal((8, 2)).astype(np.float32), requires_grad=True)
    return lambda x: ad.tanh(x.astype(weight.dtype) @ weight.mT), rng.standard_normal((6, 2))


def _float32_inside(rng):
    f, x = _float32_layer(rng)
    return lambda x: f(x.astype(np.float32)), x


RIGHT = {
    "an MLP": mlp,
    "an MLP, float32": lambda rng: mlp(rng, dtype=np.float32),
    "an MLP with relu": lambda rng: mlp(rng, activation=ad.relu),
    "an MLP with relu, float32": lambda rng: mlp(rng, activation=ad.relu, dtype=np.float32),
    "float64 inputs of a float32 layer": _float32_layer,
    "float32 inputs of a float32 layer": lambda rng: _float32_layer(rng, np.float32),
    "float64 inputs of a saturated float32 network": _saturated,
    "a tanh that is nearly flat, float32": _flat_tanh,
    "a classifier that is right and sure, float32": _sure_classifier,
    "float64 inputs, cast as a float32 layer": _cast_to_weight,
    "float64 inputs, cast to float32 inside": _float32_inside,
    "layer norm of large numbers, float32": _layer_norm,
    "a mean of 300, float32": _long_sum,
    "relu at exactly 0": _relu_zero_bias,
    "a sort with ties": _ties,
    "a max with ties": _max_ties,
    "clip at its bounds": _clip_at_bound,
    "abs close to 0": _near_kink,
    "an undeclared kink": _black_box_kink,
    "cancellation": _cancelling,
    "log at 1e-12 to 1e3": _tiny,
    "a branch in Python": _branching,
}


def dropout(rng):
    """A function that is not deterministic."""
    return lambda x: (x * (rng.uniform(size=8) < 0.5) * 2.0).sum(), np.arange(1.0, 9)
