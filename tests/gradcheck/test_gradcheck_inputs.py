"""What may be given as inputs, and that the user gets everything back as it was."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import autodiff as ad
import nn


def names(report):
    return [row.name for row in report.inputs]


def test_arguments_are_named_after_the_parameters():
    def f(weight, *, scale=2.0):
        return (weight * scale).sum()

    assert names(ad.gradcheck(f, np.ones(2))) == ["weight"]
    assert names(ad.gradcheck(lambda a, b: a * b, [np.ones(2), 3.0])) == ["a", "b"]
    assert names(ad.gradcheck(lambda *xs: sum(xs), [np.ones(2), np.ones(2)])) == [
        "input 0",
        "input 1",
    ]
    named = ad.tensor([1.0, 2.0], name="bias")
    assert names(ad.gradcheck(lambda x: x * x, named)) == ["bias"]


def test_dicts_and_nested_structures_are_given_as_they_are():
    parameters = {"layer": {"w": np.ones((2, 2)), "b": np.zeros(2)}, "scale": np.ones(())}

    def f(p):
        return ad.tanh(p["layer"]["w"] @ np.ones(2) + p["layer"]["b"]) * p["scale"]

    assert names(ad.gradcheck(f, parameters)) == ["layer.w", "layer.b", "scale"]
    report = ad.gradcheck(lambda ps, x: ps[0] * x + ps[1], ([np.ones(2), np.zeros(2)], np.ones(2)))
    assert names(report) == ["ps[0]", "ps[1]", "x"]


def test_a_dict_of_the_parameters_is_given_by_name():
    def f(a, b, *, c):
        return a * b + c

    report = ad.gradcheck(f, {"b": np.ones(2), "c": 2.0, "a": np.full(2, 3.0)}, order=2)
    assert sorted(names(report)) == ["a", "b", "c"]
    # A function of one argument gets the dict.
    assert ad.gradcheck(lambda p: p["p"] * 2.0, {"p": np.ones(2)}).ok


@pytest.mark.parametrize(
    ("f", "inputs", "words"),
    [
        (lambda a, b: a * b, {"x": np.ones(2)}, r"f\(a, b\) can't be called with 1 argument"),
        (lambda a, b: a * b, np.ones(2), r"gradcheck\(f, \(a, b\)\)"),
        (
            lambda: ad.ones(2),
            [ad.ones(2)] * 2,
            r"2 arguments.* as model\.named_parameters\(\) does",
        ),
        (lambda a: a, (np.ones(2), np.ones(2)), r"f\(a\) can't be called with 2 arguments"),
    ],
)
def test_inputs_that_do_not_fit_the_function_are_refused(f, inputs, words):
    with pytest.raises(ad.OptionError, match=words):
        ad.gradcheck(f, inputs)


def test_structured_outputs():
    report = ad.gradcheck(lambda x: {"a": x * x, "b": [ad.exp(x), (x.sum(), 3 * x)]}, np.ones(3))
    assert report.ok
    assert ad.gradcheck(lambda x: ad.topk(x, 2), np.array([1.0, 3.0, 2.0])).ok


def test_a_model_keeps_its_names_and_its_state():
    model = nn.MLP([4, 5, 3])
    x = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    labels = np.array([0, 1, 2, 0, 1, 2])

    def loss():
        return nn.functional.cross_entropy(model(x), labels)

    loss().backward()
    before = {
        name: (p.array, p.node, p.array.copy(), p.grad) for name, p in model.named_parameters()
    }
    report = ad.gradcheck(loss, model.named_parameters())
    assert report.ok
    assert names(report) == list(before)
    assert {row.dtype for row in report.inputs} == {"float32"}
    assert ad.gradcheck(lambda m: nn.functional.cross_entropy(m(x), labels), model, mode="fast").ok
    assert ad.gradcheck(loss, model, mode="fast").ok
    for name, p in model.named_parameters():
        array, node, values, grad = before[name]
        assert p.array is array
        assert p.node is node
        assert p.grad is grad
        np.testing.assert_array_equal(p.array, values)


@pytest.mark.parametrize("after", [0, 3, 30])
def test_everything_is_given_back_when_the_function_raises(after):
    w = ad.tensor(np.array([1.0, 2.0], np.float32), requires_grad=True, name="w")
    frozen = ad.tensor([3.0])
    held = [(t, t.array, t.node, t.array.copy()) for t in (w, frozen)]
    calls = 0

    def f(w, frozen):
        nonlocal calls
        calls += 1
        if calls > after:
            raise KeyError(calls)
        return (w * w).sum() * frozen

    with pytest.raises(KeyError):
        ad.gradcheck(f, (w, frozen))
    for t, array, node, values in held:
        assert t.array is array
        assert t.node is node
        np.testing.assert_array_equal(t.array, values)


def test_the_function_is_differenced_in_float64():
    seen = set()

    def f(x):
        seen.add(x.dtype)
        return ad.exp(x).sum()

    ad.gradcheck(f, np.ones(2, np.float32))
    assert seen == {np.dtype(np.float32), np.dtype(np.float64)}


def test_half_precision_and_a_cast_inside_the_function():
    x = np.random.default_rng(0).uniform(0.5, 2, 6)
    assert ad.gradcheck(lambda x: ad.exp(x) * x, x.astype(np.float16)).ok
    assert ad.gradcheck(lambda x: (ad.exp(ad.astype(x, np.float32)) * 2).sum(), x).ok


def test_one_tensor_given_twice_is_one_variable():
    x = ad.tensor([1.0, 2.0])
    report = ad.gradcheck(lambda a, b: a * b, (x, x))
    assert names(report) == ["a"]
    assert report.ok


def test_results_of_operations_may_be_inputs():
    a = ad.tensor([1.0, 2.0], requires_grad=True)
    b = a * 2
    node = b.node
    assert ad.gradcheck(lambda b: ad.exp(b).sum(), b).ok
    assert b.node is node


@pytest.mark.parametrize("mode", ["full", "fast"])
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_empty_and_0_d_inputs(mode, shape):
    report = ad.gradcheck(lambda x, y: x.sum() + y * y, (np.zeros(shape), 2.0), mode=mode)
    assert [row.checked[0] for row in report.inputs] == ["0", "1"]
    with pytest.raises(ad.OptionError, match="no entry to vary"):
        ad.gradcheck(lambda x: x.sum(), np.zeros(0))


@pytest.mark.parametrize(
    ("inputs", "error", "words"),
    [
        (np.arange(3), ad.DTypeError, r"'x' is \(3,\) int64, which has no derivative.*close over"),
        (np.ones(2) + 1j, ad.DTypeError, r"'x' is \(2,\) complex128.*f\(re \+ 1j \* im\)"),
        ([True], ad.DTypeError, "no derivative"),
        ("text", ad.OptionError, "is a str, not an array"),
        (np.array([1.0, np.nan]), ad.OptionError, "NaN or an infinity"),
    ],
)
def test_what_has_no_derivative_is_refused(inputs, error, words):
    with pytest.raises(error, match=words):
        ad.gradcheck(lambda x: x.sum(), inputs)


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda _: 1.0, "returned a float, not a tensor"),
        (lambda x: x.detach().numpy(), "returned a ndarray, not a tensor"),
        (lambda _: None, "no floating tensor"),
        (lambda x: x > 0, "no floating tensor"),
    ],
)
def test_a_function_that_returns_no_tensor_is_refused(f, words):
    with pytest.raises(ad.OptionError, match=words):
        ad.gradcheck(f, np.ones(2))


@pytest.mark.parametrize(
    "options",
    [{"mode": "slow"}, {"kinks": "ignore"}, {"order": 3}, {"estimator": "forward"}],
)
def test_unknown_options_are_refused(options):
    with pytest.raises(ad.OptionError, match="is none of"):
        ad.gradcheck(lambda x: x, np.ones(2), **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"h": 0.0}, "h=0.0 is not a number above 0"),
        ({"h": "small"}, "h='small' is not a number above 0"),
        ({"rtol": -1e-3}, "rtol=-0.001 is not a number at least 0"),
        ({"atol": float("nan")}, "atol=nan is not a number at least 0"),
        ({"probes": 0}, "probes=0 is not an integer at least 1"),
        ({"seed": -1}, "seed=-1 is not an integer at least 0"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(options, words):
    with pytest.raises(ad.OptionError, match=words):
        ad.gradcheck(lambda x: x, np.ones(2), **options)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((abs, np.ones(2)), {"mod": "fast"}, "unexpected keyword argument 'mod'"),
        ((abs, np.ones(2), "fast"), {}, "too many positional arguments"),
        ((abs,), {}, "missing a required argument: 'inputs'"),
    ],
)
def test_calls_that_do_not_fit_the_signature_show_it(arguments, options, words):
    with pytest.raises(ad.OptionError, match=words) as caught:
        ad.gradcheck(*arguments, **options)
    assert "its signature is gradcheck(f, inputs, *, mode='auto', order=1, " in str(caught.value)


def test_what_the_function_itself_raises_stays_as_it_is():
    def f(x):
        return len(x, x)

    with pytest.raises(TypeError, match="takes exactly one") as caught:
        ad.gradcheck(f, np.ones(2))
    assert type(caught.value) is TypeError


def test_a_function_that_is_not_finite_is_not_checked():
    with (
        pytest.warns(RuntimeWarning)
        if False
        else pytest.raises(ad.GradientCheckError, match="not finite at this point")
    ):
        ad.gradcheck(lambda x: ad.exp(x * 1e4), np.ones(2))


def test_modes_of_the_thread_do_not_matter():
    with ad.no_grad():
        assert ad.gradcheck(lambda x: x * x, np.ones(2)).ok
        assert not ad.is_grad_enabled()
    with ad.default_dtype(ad.float64):
        assert ad.gradcheck(lambda x: x * ad.tensor([0.1, 0.2]), np.ones(2)).ok


def test_a_gradient_of_a_gradient_inside_the_function():
    def penalty(x):
        (g,) = ad.grad(ad.sin(x).sum(), [x], create_graph=True)
        return (g * g).sum()

    assert ad.gradcheck(penalty, np.array([0.3, 1.0]), order=2).ok


def test_transforms_inside_the_function():
    f = ad.func.grad(lambda x: (ad.sin(x) * x).sum())
    assert ad.gradcheck(f, np.array([0.3, 1.0]), order=2).ok


@pytest.mark.parametrize("f", [ad.tensor(2.0, requires_grad=True), 5, "f", None])
def test_what_is_no_function_is_refused(f):
    with pytest.raises(ad.OptionError, match=r"not a function\. Give a function of tensors"):
        ad.gradcheck(f, [ad.tensor([1.0])])


def test_captured_float32_weights_are_cast_up_and_given_back():
    rng = np.random.default_rng(0)
    weight = ad.tensor(rng.standard_normal((3, 2)).astype(np.float32), requires_grad=True)
    (weight * weight).sum().backward()
    array, node, grad = weight.array, weight.node, weight.grad.numpy().copy()
    seen = set()

    def f(x):
        seen.add(weight.dtype)
        return ad.tanh(x.astype(weight.dtype) @ weight.mT)

    report = ad.gradcheck(f, rng.standard_normal((4, 2)), order=2)
    assert seen == {np.dtype(np.float32), np.dtype(np.float64)}
    assert max(entry.error for entry in report.entries) < 1e-5

    def broken(x):
        if weight.dtype == np.float64:
            raise ZeroDivisionError
        return f(x)

    with pytest.raises(ZeroDivisionError):
        ad.gradcheck(broken, rng.standard_normal((4, 2)))
    assert weight.array is array
    assert weight.node is node
    assert np.array_equal(weight.grad.numpy(), grad)


class Hidden:
    """Holds a tensor where a look at its attributes finds none."""

    __slots__ = ("weight",)


@pytest.mark.parametrize("hidden", [False, True])
def test_captured_weights_are_found_near_or_far(hidden, monkeypatch):
    holder = Hidden()
    holder.weight = ad.tensor(np.float32([0.3, -2.0]), requires_grad=True)
    given = [holder] if hidden else [holder.weight]
    if not hidden:
        monkeypatch.setattr(gc, "get_referrers", None)  # it reads the whole heap
    array, node = holder.weight.array, holder.weight.node

    def f(x):
        weight = given[0].weight if hidden else given[0]
        return ad.exp(x.astype(weight.dtype) * weight).sum()

    report = ad.gradcheck(f, np.array([0.5, 0.7]), mode="fast")
    assert report.entries[0].tolerance < 1e-7  # as float64 differences allow
    assert holder.weight.array is array
    assert holder.weight.node is node


def test_captured_weights_of_a_module_are_found_near(monkeypatch):
    model = nn.Linear(2, 3)
    monkeypatch.setattr(gc, "get_referrers", None)
    x = np.random.default_rng(0).standard_normal((4, 2))
    report = ad.gradcheck(lambda x: ad.tanh(model(x.astype(ad.float32))), x, mode="fast")
    assert model.weight.dtype == np.float32
    assert report.ok
