"""Losses: PyTorch's values and gradients, layers, edges, and bad input."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import autodiff as ad
import nn
from nn import functional
from tests.nn import assert_same_as_torch, precisions, torch, with_torch

REDUCTIONS = ["mean", "sum", "none"]
SHAPES = [(), (6,), (4, 3), (2, 3, 4)]
reductions = pytest.mark.parametrize("reduction", REDUCTIONS)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def same(name, arrays, *, tolerance=1e-10, fixed=(), **options):
    """Compare a function with PyTorch's of the same name; ``fixed`` need no gradient."""

    def ours(*given, **named):
        return getattr(functional, name)(*given, *fixed, **named)

    def theirs(*given, **named):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "mean" of kl_div
            constants = [torch.tensor(f) if isinstance(f, np.ndarray) else f for f in fixed]
            return getattr(torch.nn.functional, name)(*given, *constants, **named)

    assert_same_as_torch(ours, theirs, arrays, tolerance=tolerance, **options)


def draw(shape, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    return np.asarray(rng.normal(size=shape), dtype), np.asarray(rng.normal(size=shape), dtype)


@with_torch
@precisions
@reductions
@shapes
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mse_loss", {}),
        ("l1_loss", {}),
        ("smooth_l1_loss", {}),
        ("smooth_l1_loss", {"beta": 0.3}),
        ("smooth_l1_loss", {"beta": 0.0}),
        ("huber_loss", {}),
        ("huber_loss", {"delta": 0.4}),
        ("poisson_nll_loss", {}),
        ("poisson_nll_loss", {"full": True}),
    ],
    ids=str,
)
def test_regression_is_pytorchs(name, options, shape, reduction, dtype, tolerance):
    x, y = draw(shape, dtype)
    if name == "poisson_nll_loss":
        y = np.asarray(np.round(np.abs(3 * y)), dtype)
        same(name, [x], fixed=[y], tolerance=tolerance, reduction=reduction, **options)
        x = np.abs(x) + np.asarray(0.1, dtype)
        same(name, [x], fixed=[y, False], tolerance=tolerance, reduction=reduction, **options)
    else:
        same(name, [x, y], tolerance=tolerance, reduction=reduction, **options)


@with_torch
@precisions
@reductions
@shapes
@pytest.mark.parametrize("weighted", [False, True])
def test_binary_cross_entropy_is_pytorchs(shape, reduction, weighted, dtype, tolerance):
    x, y = draw(shape, dtype)
    x, y = x * 6, np.asarray(np.clip(y + 0.5, 0, 1), dtype)
    weight = np.asarray(np.linspace(0.5, 2, x.shape[-1] if shape else 1), dtype)
    weight = weight if shape else weight[0]
    options = {"reduction": reduction, **({"weight": weight} if weighted else {})}
    options = {k: np.asarray(v) if k == "weight" else v for k, v in options.items()}
    name = "binary_cross_entropy"
    p = np.asarray(1 / (1 + np.exp(-x)), dtype)
    same(name, [p], fixed=[y], tolerance=tolerance, **options)
    same(f"{name}_with_logits", [x], fixed=[y], tolerance=tolerance, **options)
    if shape:
        same(
            f"{name}_with_logits",
            [x],
            fixed=[y],
            tolerance=tolerance,
            pos_weight=weight[::-1].copy(),
            **options,
        )


@with_torch
@precisions
@pytest.mark.parametrize("reduction", [*REDUCTIONS, "batchmean"])
@shapes
@pytest.mark.parametrize("log_target", [False, True])
def test_kl_div_is_pytorchs(shape, reduction, log_target, dtype, tolerance):
    x, y = draw(shape, dtype)
    y = y if log_target else np.asarray(np.abs(y) * (np.abs(y) > 0.3), dtype)
    options = {"reduction": reduction, "log_target": log_target}
    same("kl_div", [x], fixed=[y], tolerance=tolerance, **options)


@with_torch
@reductions
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("of_var", [(4, 3), (4, 1), (4,)], ids=str)
def test_gaussian_nll_is_pytorchs(reduction, full, of_var):
    x, y = draw((4, 3))
    var = np.abs(draw(of_var, seed=1)[0])
    var.flat[0] = 0.0  # below the least
    same("gaussian_nll_loss", [x, y, var], full=full, reduction=reduction, eps=1e-2)
    same("gaussian_nll_loss", [x, y], fixed=[0.5], full=full, reduction=reduction)


@with_torch
@precisions
@reductions
@shapes
@pytest.mark.parametrize("margin", [1.0, 0.2])
def test_hinge_embedding_is_pytorchs(shape, reduction, margin, dtype, tolerance):
    x, y = draw(shape, dtype)
    y = np.asarray(np.where(y > 0, 1, -1), dtype)
    options = {"margin": margin, "reduction": reduction}
    same("hinge_embedding_loss", [x], fixed=[y], tolerance=tolerance, **options)


@with_torch
@precisions
@reductions
@pytest.mark.parametrize("margin", [0.0, 0.3])
@pytest.mark.parametrize("batch", [(), (5,)], ids=str)
def test_cosine_embedding_is_pytorchs(batch, reduction, margin, dtype, tolerance):
    a, b = draw((*batch, 4), dtype)
    y = np.asarray(np.where(draw(batch)[0] > 0, 1, -1))
    options = {"margin": margin, "reduction": reduction}
    same("cosine_embedding_loss", [a, b], fixed=[y], tolerance=tolerance, **options)


@with_torch
@precisions
@reductions
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("batch", [(), (6,)], ids=str)
def test_multi_margin_is_pytorchs(batch, p, weighted, reduction, dtype, tolerance):
    x, _ = draw((*batch, 4), dtype)
    y = np.asarray(np.random.default_rng(1).integers(0, 4, batch))
    options = {"p": p, "margin": 0.7, "reduction": reduction}
    if weighted:
        options["weight"] = np.array([0.5, 1, 2, 3], dtype)
    same("multi_margin_loss", [x], fixed=[y], tolerance=tolerance, **options)


@with_torch
@reductions
@pytest.mark.parametrize("options", [{}, {"p": 1.0, "swap": True}, {"margin": 0.3, "p": 3.0}])
@pytest.mark.parametrize("batch", [(), (6,)], ids=str)
def test_triplet_margin_is_pytorchs(batch, options, reduction):
    a, b = draw((*batch, 4))
    c, _ = draw((*batch, 4), seed=1)
    same("triplet_margin_loss", [a, b, c], reduction=reduction, **options)


@with_torch
@precisions
@reductions
@pytest.mark.parametrize("shape", [(5,), (4, 5), (3, 5, 2), (2, 5, 3, 2)], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignored", [-100, 2])
def test_nll_is_pytorchs(shape, weighted, ignored, reduction, dtype, tolerance):
    x, _ = draw(shape, dtype)
    x = np.asarray(x - np.log(np.exp(x).sum(min(1, x.ndim - 1), keepdims=True)), dtype)
    of_labels = (shape[0], *shape[2:]) if len(shape) > 1 else ()
    y = np.asarray(np.random.default_rng(1).integers(0, 5, of_labels))
    if y.size > 1:
        y.flat[0] = ignored
    options = {"ignore_index": ignored, "reduction": reduction}
    if weighted:
        options["weight"] = np.array([0.5, 1, 2, 3, 4], dtype)
    if y.size == 1 and y == ignored:
        return
    same("nll_loss", [x], fixed=[y], tolerance=tolerance, **options)


LAYERS = [
    ("MSELoss", {}),
    ("L1Loss", {"reduction": "sum"}),
    ("SmoothL1Loss", {"beta": 0.4}),
    ("HuberLoss", {"delta": 0.4, "reduction": "none"}),
    ("BCELoss", {"weight": [0.5, 1.0, 2.0]}),
    ("BCEWithLogitsLoss", {"pos_weight": [0.5, 1.0, 2.0], "reduction": "sum"}),
    ("BCEWithLogitsLoss", {"weight": [0.5, 1.0, 2.0]}),
    ("KLDivLoss", {"reduction": "batchmean"}),
    ("KLDivLoss", {"reduction": "sum", "log_target": True}),
    ("CrossEntropyLoss", {"weight": [0.5, 1.0, 2.0], "label_smoothing": 0.1}),
    ("CrossEntropyLoss", {"ignore_index": 1, "reduction": "none"}),
    ("NLLLoss", {"weight": [0.5, 1.0, 2.0], "ignore_index": 1}),
    ("HingeEmbeddingLoss", {"margin": 0.4}),
    ("MultiMarginLoss", {"p": 2, "margin": 0.5, "weight": [0.5, 1.0, 2.0]}),
    ("PoissonNLLLoss", {"full": True, "reduction": "sum"}),
    ("GaussianNLLLoss", {"full": True, "eps": 0.1}),
    ("CosineEmbeddingLoss", {"margin": 0.1, "reduction": "sum"}),
    ("TripletMarginLoss", {"margin": 0.4, "swap": True}),
]


@with_torch
@pytest.mark.parametrize(("name", "options"), LAYERS, ids=str)
def test_layers_are_pytorchs(name, options):
    ours = getattr(nn, name)(
        **{k: np.array(v) if k in ("weight", "pos_weight") else v for k, v in options.items()}
    )
    tensors = {
        k: torch.tensor(v, dtype=torch.float64) if isinstance(v, list) else v
        for k, v in options.items()
    }
    theirs = getattr(torch.nn, name)(**tensors)
    assert set(ours.state_dict()) == set(theirs.state_dict())
    x, y = draw((4, 3))
    kind = np.array([0, 2, 1, 0])
    given, fixed = {
        "BCELoss": ([1 / (1 + np.exp(-x))], [np.clip(y, 0, 1)]),
        "BCEWithLogitsLoss": ([x], [np.clip(y, 0, 1)]),
        "KLDivLoss": ([x], [np.abs(y)]),
        "CrossEntropyLoss": ([x], [kind]),
        "NLLLoss": ([x], [kind]),
        "MultiMarginLoss": ([x], [kind]),
        "HingeEmbeddingLoss": ([x], [np.sign(y)]),
        "PoissonNLLLoss": ([x], [np.abs(y)]),
        "GaussianNLLLoss": ([x], [y, np.abs(x)]),
        "CosineEmbeddingLoss": ([x, y], [np.array([1, -1, -1, 1])]),
        "TripletMarginLoss": ([x, y], [x - y]),
    }.get(name, ([x, y], []))
    assert_same_as_torch(
        lambda *a: ours(*a, *fixed),
        lambda *a: theirs(*a, *map(torch.tensor, fixed)),
        given,
        tolerance=1e-10,
    )
    ours.load_state_dict(theirs.state_dict())


EMPTY = [
    ("mse_loss", [(0, 3), (0, 3)]),
    ("l1_loss", [(0,), (0,)]),
    ("huber_loss", [(0,), (0,)]),
    ("smooth_l1_loss", [(0,), (0,)]),
    ("binary_cross_entropy", [(0, 3), (0, 3)]),
    ("binary_cross_entropy_with_logits", [(0, 3), (0, 3)]),
    ("kl_div", [(0, 3), (0, 3)]),
    ("poisson_nll_loss", [(0,), (0,)]),
    ("gaussian_nll_loss", [(0, 3), (0, 3), (0, 3)]),
    ("hinge_embedding_loss", [(0,), (0,)]),
    ("cosine_embedding_loss", [(0, 3), (0, 3), (0,)]),
    ("triplet_margin_loss", [(0, 3), (0, 3), (0, 3)]),
]


@pytest.mark.parametrize(("name", "of"), EMPTY, ids=str)
@reductions
def test_the_loss_of_nothing_is_zero(name, of, reduction):
    x = ad.zeros(of[0], requires_grad=True)
    loss = getattr(functional, name)(x, *map(ad.zeros, of[1:]), reduction=reduction)
    loss.sum().backward()
    assert float(loss.sum().detach()) == 0
    assert x.grad.shape == of[0]
    labels = np.zeros(0, int)
    for of_labels in (functional.multi_margin_loss, functional.nll_loss):
        assert of_labels(ad.zeros((0, 3)), labels).item() == 0


@pytest.mark.parametrize(
    ("name", "arrays"),
    [
        ("mse_loss", [draw((4, 3))[0], draw((4, 3))[1]]),
        ("huber_loss", [draw((4, 3))[0], draw((4, 3))[1]]),
        ("binary_cross_entropy_with_logits", [draw((4, 3))[0], np.abs(np.tanh(draw((4, 3))[1]))]),
        ("kl_div", [draw((4, 3))[0], np.abs(draw((4, 3))[1])]),
        ("gaussian_nll_loss", [*draw((4, 3)), np.abs(draw((4, 3), seed=2)[0])]),
        ("cosine_embedding_loss", [*draw((4, 3)), np.array([1, -1, 1, -1])]),
        ("triplet_margin_loss", [*draw((4, 3)), draw((4, 3), seed=2)[0]]),
        ("multi_margin_loss", [draw((4, 3))[0], np.array([0, 2, 1, 0])]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_finite_differences_agree(name, arrays):
    variables = [ad.tensor(a, requires_grad=True) for a in arrays if a.dtype.kind == "f"]
    constants = [a for a in arrays if a.dtype.kind != "f"]
    function = getattr(functional, name)
    assert ad.gradcheck(lambda *v: function(*v, *constants), variables)


def test_the_gradient_of_logits_is_sigmoid_minus_target():
    x = ad.tensor([[0.3, -2.0], [25.0, -800.0]], requires_grad=True, dtype=ad.float64)
    y = np.array([[1.0, 0.0], [0.25, 1.0]])
    functional.binary_cross_entropy_with_logits(x, y, reduction="sum").backward()
    np.testing.assert_allclose(x.grad.numpy(), ad.sigmoid(x).detach().numpy() - y, atol=1e-15)


def test_large_logits_are_safe():
    x = ad.tensor([1e4, -1e4, 1e4, -1e4], requires_grad=True)
    for options in ({}, {"pos_weight": [2.0]}):
        x.grad = None
        loss = functional.binary_cross_entropy_with_logits(
            x, [1, 0, 0, 1], reduction="none", **options
        )
        loss.sum().backward()
        factor = 2 if options else 1
        assert loss.tolist() == [0, 0, 1e4, factor * 1e4]
        assert x.grad.tolist() == [0, 0, 1, -factor]


def test_probabilities_of_zero_and_one():
    p = ad.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    loss = functional.binary_cross_entropy(p, [0, 1, 1, 0], reduction="none")
    loss.sum().backward()
    assert loss.tolist() == [0, 0, 100, 100]
    assert p.grad.tolist() == [1, -1, 0, 0]


def test_integers_and_lists_take_the_dtype_of_the_input():
    x = ad.tensor([0.5, 0.5])
    assert functional.mse_loss(x, np.array([0, 1])).dtype == np.float32
    assert functional.mse_loss(x, [0, 1]).dtype == np.float32
    assert functional.binary_cross_entropy(x, np.array([True, False])).dtype == np.float32
    wide = ad.tensor([0.1], dtype=ad.float64)
    assert functional.mse_loss(wide, [0.1]).item() == 0
    assert functional.cross_entropy(x, 0, weight=[0.1, 0.3]).dtype == np.float32
    weighted = functional.cross_entropy(
        wide.reshape(1, 1), [0], weight=[0.1], label_smoothing=0.5, reduction="none"
    )
    assert weighted.dtype == np.float64


def test_scopes_name_the_losses():
    x = ad.tensor([0.5], requires_grad=True)
    assert nn.MSELoss()(x, [1.0]).node.scope == ("MSELoss", "mse_loss")


def test_repr():
    assert repr(nn.HuberLoss(delta=0.5)).startswith("HuberLoss(reduction='mean', delta=0.5)")


class Model(nn.Module):
    def __init__(self):
        self.loss = nn.MSELoss()

    def forward(self, x, y):
        return self.loss(x, y)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda x: functional.mse_loss(x, ad.ones((2, 1))),
            ad.ShapeError,
            r"^mse_loss\(input: \(2,\) float32, target: \(2, 1\) float32\): the shapes differ",
        ),
        (lambda x: Model()(x, [1.0]), ad.ShapeError, r"MSELoss 'loss': mse_loss\(input"),
        (lambda x: functional.mse_loss(x, x, reduction="avg"), ad.OptionError, "'avg' is unknown"),
        (lambda _: nn.L1Loss(reduction="avg"), ad.OptionError, "L1Loss: the reduction 'avg'"),
        (lambda x: functional.l1_loss(x, "ab"), ad.DTypeError, "l1_loss: target"),
        (lambda x: functional.l1_loss(ad.asarray([1]), x), ad.DTypeError, "the input is not of"),
        (lambda x: functional.l1_loss(x, x + 1j), ad.DTypeError, "the target is not of real"),
        (lambda x: functional.huber_loss(x, x, delta=0), ad.DomainError, "delta is 0"),
        (lambda _: nn.HuberLoss(delta=-1.0), ad.DomainError, "HuberLoss: delta is -1.0"),
        (lambda x: functional.smooth_l1_loss(x, x, beta=-1), ad.DomainError, "beta is -1"),
        (
            lambda x: functional.binary_cross_entropy(x * 3, x),
            ad.DomainError,
            "not from 0 to 1. Give probabilities, or logits to",
        ),
        (
            lambda x: functional.binary_cross_entropy_with_logits(x, x, weight=ad.ones((3, 2))),
            ad.ShapeError,
            r"the weight is too large. Give one that broadcasts to \(2,\)",
        ),
        (
            lambda x: functional.binary_cross_entropy_with_logits(x, x, pos_weight=ad.ones(3)),
            ad.ShapeError,
            "multiply",
        ),
        (lambda x: functional.kl_div(x, x, reduction="batch"), ad.OptionError, "'batchmean'"),
        (lambda x: functional.hinge_embedding_loss(x, [0, 1]), ad.DomainError, "neither 1 nor -1"),
        (
            lambda x: functional.cosine_embedding_loss(x, x, [1]),
            ad.ShapeError,
            r"target: \(1,\) float32\): the shapes do not fit",
        ),
        (
            lambda x: functional.multi_margin_loss(x, 2),
            ad.DomainError,
            "a label is not one of the 2 classes",
        ),
        (lambda x: functional.multi_margin_loss(x, 1.0), ad.DTypeError, "must be integers"),
        (lambda x: functional.multi_margin_loss(x, [1]), ad.ShapeError, r"Give scores \(N, C\)"),
        (lambda x: functional.multi_margin_loss(x, 1, p=3), ad.OptionError, "p is 3"),
        (lambda _: nn.MultiMarginLoss(p=3), ad.OptionError, "MultiMarginLoss: p is 3"),
        (
            lambda x: functional.multi_margin_loss(x, 1, weight=[1.0]),
            ad.ShapeError,
            "Give one for each of the 2 classes",
        ),
        (lambda x: functional.gaussian_nll_loss(x, x, -1.0), ad.DomainError, "is negative"),
        (lambda x: functional.gaussian_nll_loss(x, x, x, eps=0), ad.DomainError, "eps is 0"),
        (
            lambda x: functional.gaussian_nll_loss(x, x, ad.ones((3, 2))),
            ad.ShapeError,
            "var does not broadcast",
        ),
        (
            lambda x: functional.triplet_margin_loss(x, x, ad.ones(3)),
            ad.ShapeError,
            "the shapes differ",
        ),
        (
            lambda x: functional.nll_loss(x, ad.ones(2)),
            ad.DTypeError,
            r"nll_loss\(input: \(2,\) float32, target: \(2,\) float32\): the target has neither",
        ),
        (lambda x: functional.nll_loss(x, 7), ad.DomainError, "the label 7 is not one of the 2"),
        (
            lambda _: nn.CrossEntropyLoss(label_smoothing=2),
            ad.DomainError,
            "CrossEntropyLoss: label_smoothing is 2",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call(ad.tensor([0.5, 0.75]))
