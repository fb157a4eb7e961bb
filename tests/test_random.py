"""Random tensors: distributions, seeds and states, gradients to parameters."""
# ruff: noqa: PLW0108 - a table of calls

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import autodiff as ad
from autodiff import random
from autodiff.errors import AxisError, DomainError, DTypeError, ShapeError

CONTINUOUS = {
    "random": lambda size, **o: random.random(size, **o),
    "rand": lambda size, **o: random.rand(*size, **o),
    "uniform": lambda size, **o: random.uniform(-1, 1, size, **o),
    "standard_normal": lambda size, **o: random.standard_normal(size, **o),
    "randn": lambda size, **o: random.randn(*size, **o),
    "normal": lambda size, **o: random.normal(1, 2, size, **o),
    "exponential": lambda size, **o: random.exponential(2, size, **o),
    "truncated_normal": lambda size, **o: random.truncated_normal(0, 1, -1, 1, size, **o),
}
DISCRETE = {
    "bernoulli": lambda size, **o: random.bernoulli(0.3, size, **o),
    "integers": lambda size, **o: random.integers(0, 9, size, **o),
    "choice": lambda size, **o: random.choice(9, size, **o),
    "permutation": lambda size, **o: random.permutation(math.prod(size), **o),
}


@pytest.fixture(autouse=True)
def seeded():
    state = random.get_state()
    random.seed(0)
    yield
    random.set_state(state)


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("size", [(), (0,), (3,), (2, 3)])
def test_shapes_and_dtypes(name, size):
    draw = CONTINUOUS[name]
    made = draw(size)
    assert isinstance(made, ad.Tensor)
    assert made.shape == size
    assert made.dtype == np.float32
    for dtype in (ad.float16, ad.float32, ad.float64):
        assert draw(size, dtype=dtype).dtype == dtype
    with ad.default_dtype(ad.float64):
        assert draw(size).dtype == np.float64
    leaf = draw(size, requires_grad=True)
    assert leaf.is_leaf
    assert leaf.requires_grad
    with pytest.raises(DTypeError, match="real floating"):
        draw(size, dtype=ad.int64)
    with pytest.raises(DTypeError, match="not a numpy"):
        draw(size, generator=3)


@pytest.mark.parametrize("name", [*CONTINUOUS, *DISCRETE])
def test_repeatable(name):
    draw = {**CONTINUOUS, **DISCRETE}[name]
    random.seed(3)
    first, second = draw((50,)), draw((50,))
    random.seed(3)
    assert draw((50,)).tolist() == first.tolist()
    state = random.get_state()
    assert draw((50,)).tolist() == second.tolist() != first.tolist()
    random.set_state(json.loads(json.dumps(state)))
    assert draw((50,)).tolist() == second.tolist()
    own = [draw((50,), generator=np.random.default_rng(3)) for _ in range(2)]
    assert own[0].tolist() == own[1].tolist() == first.tolist()


def test_generator_leaves_the_shared_one_alone():
    state = random.get_state()
    for draw in {**CONTINUOUS, **DISCRETE}.values():
        draw((4,), generator=np.random.default_rng(3))
    assert random.get_state() == state


def test_bad_seeds_and_states():
    state = random.get_state()
    for bad in (-1, "abc", 1.5):
        with pytest.raises(DomainError, match="seed"):
            random.seed(bad)
    for bad in ({}, None, {"bit_generator": "MT19937"}, {**state, "state": {"state": "x"}}):
        with pytest.raises(DomainError, match="set_state"):
            random.set_state(bad)
    assert random.get_state() == state
    random.seed()
    assert random.get_state() != state


@pytest.mark.parametrize(
    ("name", "mean", "deviation"),
    [
        ("random", 0.5, 12**-0.5),
        ("uniform", 0, 3**-0.5),
        ("standard_normal", 0, 1),
        ("normal", 1, 2),
        ("exponential", 2, 2),
        ("truncated_normal", 0, 0.5396),
    ],
)
def test_moments(name, mean, deviation):
    values = CONTINUOUS[name]((100_000,), dtype=ad.float64).numpy()
    assert abs(values.mean() - mean) < 5 * deviation / math.sqrt(values.size)
    assert abs(values.std() / deviation - 1) < 0.02


def test_distributions_are_scipys():
    stats = pytest.importorskip("scipy.stats", reason="SciPy is not installed")
    n = 20_000
    for made, expected in [
        (random.uniform(2, 5, n), stats.uniform(2, 3)),
        (random.normal(1, 2, n), stats.norm(1, 2)),
        (random.exponential(2, n), stats.expon(scale=2)),
        (random.truncated_normal(0, 1, -2, 2, n), stats.truncnorm(-2, 2)),
        (random.truncated_normal(1, 2, 3, 4, n), stats.truncnorm(1, 1.5, 1, 2)),
        (random.truncated_normal(0, 1, 1, math.inf, n), stats.truncnorm(1, math.inf)),
        (random.truncated_normal(0, 1, -9, -4, n), None),
        (random.truncated_normal(0, 1, -4.3, -4, n), stats.truncnorm(-4.3, -4)),
        (random.truncated_normal(0, 1, 0.1, 0.1001, n), None),
    ]:
        if expected is not None:
            assert stats.kstest(made.numpy().astype(np.float64), expected.cdf).pvalue > 1e-4


def test_truncated_normal_bounds():
    for dtype in (ad.float16, ad.float32):
        x = random.truncated_normal(0, 0.02, -0.03, 0.03, 10_000, dtype=dtype).numpy()
        assert x.min() >= dtype(-0.03)
        assert x.max() <= dtype(0.03)
    for bad in [(0, 0, -1, 1), (0, -1, -1, 1), (0, 1, 1, 1), (0, 1, 2, 1), (0, 1, 30, math.inf)]:
        with pytest.raises(DomainError, match="truncated_normal"):
            random.truncated_normal(*bad, 3)


def test_parameters_broadcast():
    loc = np.array([0.0, 100.0])
    assert random.normal(loc, [[1.0], [2.0]]).shape == (2, 2)
    assert random.uniform(loc, 200.0).shape == (2,)
    made = random.normal(loc, 1e-3, (5, 2))
    assert made.dtype == np.float32
    assert abs(made[:, 1].numpy() - 100).max() < 1
    with pytest.raises(ShapeError, match=r"normal.*\(1,\)"):
        random.normal(loc, 1.0, (1,))
    with pytest.raises(ShapeError, match="bernoulli"):
        random.bernoulli([0.1, 0.2], (1,))
    assert random.bernoulli([0.1, 0.2], (5, 2)).shape == (5, 2)


def test_gradients_reach_parameters():
    for draw in (
        lambda a, b, **o: random.normal(a, b, (50, 2), **o),
        lambda a, b, **o: random.uniform(a, a + b, (50, 2), **o),
        lambda a, b, **o: a + random.exponential(b, (50, 2), **o),
    ):
        a = ad.tensor([1.0, 2.0], requires_grad=True)
        b = ad.tensor([0.5, 3.0], requires_grad=True)
        made = draw(a, b, generator=np.random.default_rng(1))
        made.sum().backward()
        standard = ((made - a) / b).detach()
        assert a.grad.tolist() == [50, 50]
        np.testing.assert_allclose(b.grad.numpy(), standard.numpy().sum(0), rtol=1e-4)


def test_bad_parameters():
    with pytest.raises(DomainError, match="negative"):
        random.normal(0, -1.0)
    with pytest.raises(DomainError, match="negative"):
        random.exponential([-1.0, 1.0])
    with pytest.raises(DomainError, match="above"):
        random.uniform(2, 1)
    with pytest.raises(DomainError, match="probability"):
        random.bernoulli(1.5)
    with pytest.raises(DomainError, match="probability"):
        random.bernoulli(ad.tensor([0.5, np.nan]))
    for size in (-1, (2, -1), 1.5, "ab"):
        with pytest.raises(ShapeError):
            random.normal(size=size)


def test_bernoulli():
    made = random.bernoulli(ad.tensor([0.0, 0.25, 1.0], requires_grad=True), (10_000, 3))
    assert not made.requires_grad
    assert made.dtype == np.float32
    np.testing.assert_allclose(made.numpy().mean(0), [0, 0.25, 1], atol=0.02)
    assert random.bernoulli(0.5, 3, dtype=ad.bool).dtype == np.bool_
    assert random.bernoulli().shape == ()


def test_integers():
    made = random.integers(3, size=1000)
    assert set(made.tolist()) == {0, 1, 2}
    assert made.dtype == np.int64
    assert set(random.integers(1, 3, 1000, endpoint=True).tolist()) == {1, 2, 3}
    assert random.integers(0, 2, 3, dtype=ad.int8).dtype == np.int8
    assert random.integers(np.zeros(3, int), 5).shape == (3,)
    assert random.integers(5).shape == ()
    with pytest.raises(DomainError, match="integers"):
        random.integers(3, 3)
    with pytest.raises(DomainError, match="integers"):
        random.integers(0, 300, 3, dtype=ad.int8)
    with pytest.raises(DTypeError, match="integers"):
        random.integers(0, 3, 3, dtype=ad.float32)


def test_permutation():
    assert sorted(random.permutation(5).tolist()) == list(range(5))
    x = ad.tensor(np.arange(12.0).reshape(3, 4), requires_grad=True)
    rows, columns = random.permutation(x), random.permutation(x, axis=-1)
    assert sorted(rows[:, 0].detach().tolist()) == [0, 4, 8]
    assert sorted(columns[0].detach().tolist()) == [0, 1, 2, 3]
    np.testing.assert_array_equal(columns.detach().numpy().sum(1), x.detach().numpy().sum(1))
    (rows * np.arange(12.0).reshape(3, 4)).sum().backward()
    assert sorted(x.grad.numpy().ravel()) == list(range(12))
    with pytest.raises(AxisError, match="no axis 2"):
        random.permutation(x, axis=2)


def test_choice():
    counts = np.bincount(random.choice(3, 10_000, p=[0.5, 0.25, 0.25]).numpy())
    np.testing.assert_allclose(counts / 10_000, [0.5, 0.25, 0.25], atol=0.02)
    assert sorted(random.choice(5, 5, replace=False).tolist()) == list(range(5))
    assert random.choice([7, 7]).item() == 7
    x = ad.tensor([[1.0, 2.0]], requires_grad=True)
    made = random.choice(x, (2, 3), axis=1)
    assert made.shape == (1, 2, 3)
    made.sum().backward()
    assert x.grad.numpy().sum() == 6
    weights = np.full(1000, 0.001, np.float32)  # sums to 1 only nearly
    assert random.choice(1000, 3, p=ad.tensor(weights)).shape == (3,)
    for bad in ({"p": [0.5, 0.2, 0.1]}, {"size": 4, "replace": False}, {"p": [0.5, 0.5]}):
        with pytest.raises(DomainError, match="choice from 3"):
            random.choice(3, **bad)
    with pytest.raises(AxisError, match="choice"):
        random.choice(ad.tensor(1.0))


def test_threads_share_without_harm():
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: random.random(1000).numpy(), range(8)))
    assert len({x.tobytes() for x in drawn}) == 8
