"""What a thread is doing: contexts, decorators, threads, errors in between."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import autodiff as ad
from autodiff.engine.modes import local, observe
from autodiff.errors import DTypeError, OptionError


@pytest.fixture(autouse=True)
def _restored():
    before = local.mode
    yield
    assert local.mode == before


def recorded():
    return (ad.tensor(1.0, requires_grad=True) * 2).requires_grad


# -- recording ------------------------------------------------


def test_no_grad_records_nothing():
    w = ad.tensor(2.0, requires_grad=True)
    with ad.no_grad():
        y = w * w
        first, _ = ad.unstack(ad.stack([w, w]))
        assert not ad.is_grad_enabled()
    assert not y.requires_grad
    assert y.is_leaf
    assert not first.requires_grad
    assert ad.is_grad_enabled()
    assert recorded()


def test_leaves_can_be_made_inside_no_grad():
    with ad.no_grad():
        w = ad.tensor(2.0, requires_grad=True)
    assert w.requires_grad
    assert (w * 2).requires_grad


def test_contexts_nest():
    with ad.no_grad():
        with ad.enable_grad():
            assert recorded()
            with ad.no_grad():
                assert not recorded()
            assert recorded()
        assert not recorded()
    assert recorded()


def test_one_context_several_times_and_inside_itself():
    context = ad.no_grad()
    for _ in range(2):
        with context:
            with context:
                assert not recorded()
            assert not recorded()
        assert recorded()


@pytest.mark.parametrize(
    "make",
    [
        ad.no_grad,
        ad.detect_anomaly,
        lambda: ad.set_grad_enabled(False),
        lambda: ad.name_scope("a"),
        lambda: ad.default_dtype(ad.float64),
    ],
)
def test_restored_after_an_exception(make):
    before = local.mode
    with pytest.raises(ZeroDivisionError), make():  # noqa: PT012
        assert local.mode is not before
        raise ZeroDivisionError
    assert local.mode is before


def test_a_failing_operation_restores_too():
    with pytest.raises(ad.errors.ShapeError), ad.no_grad():
        ad.tensor([1.0, 2.0]) + ad.tensor([1.0, 2.0, 3.0])
    assert recorded()


def test_decorators():
    @ad.no_grad()
    def without(x, *, scale=1):
        """Documented."""
        return recorded(), x * scale

    @ad.no_grad
    def bare(x):
        return recorded(), x

    @ad.enable_grad
    def again():
        return recorded()

    assert without(3, scale=2) == (False, 6)
    assert without.__name__ == "without"
    assert without.__doc__ == "Documented."
    assert bare(3) == (False, 3)
    with ad.no_grad():
        assert again()
        assert not recorded()
    assert recorded()


def test_a_decorated_function_that_recurses_and_raises():
    @ad.no_grad()
    def down(n):
        assert not ad.is_grad_enabled()
        if n == 0:
            raise ZeroDivisionError
        down(n - 1)

    with pytest.raises(ZeroDivisionError):
        down(5)
    assert ad.is_grad_enabled()


def test_methods_can_be_decorated():
    class Model:
        @ad.no_grad()
        def predict(self, x):
            return recorded(), x

    assert Model().predict(1) == (False, 1)


def test_generators_leave_the_mode_at_every_yield():
    closed = []

    @ad.no_grad()
    def batches():
        try:
            for i in range(3):
                assert not recorded()
                try:
                    answer = yield i
                except KeyError:
                    answer = "caught"
                assert not recorded()
                if answer is not None:
                    yield answer
        finally:
            closed.append(recorded())
        return "done"

    generator = batches()
    assert next(generator) == 0
    assert recorded()
    assert generator.send("sent") == "sent"
    assert recorded()
    assert next(generator) == 1
    assert generator.throw(KeyError()) == "caught"
    generator.close()
    assert closed == [False]
    assert recorded()

    def outer():
        return (yield from batches())

    consumed = outer()
    with pytest.raises(StopIteration) as stop:  # noqa: PT012
        while True:
            next(consumed)
            assert recorded()
    assert stop.value.value == "done"


def test_a_generator_that_raises():
    @ad.no_grad
    def failing():
        yield 1
        raise ZeroDivisionError

    generator = failing()
    next(generator)
    with pytest.raises(ZeroDivisionError):
        next(generator)
    assert recorded()


def test_set_grad_enabled_as_context_decorator_and_function():
    with ad.set_grad_enabled(False):
        assert not recorded()
        with ad.set_grad_enabled(True):
            assert recorded()
    assert recorded()

    @ad.set_grad_enabled(False)
    def without():
        return recorded()

    assert recorded()
    assert not without()
    assert not without()
    assert recorded()

    ad.set_grad_enabled(False)
    assert not recorded()
    ad.set_grad_enabled(True)
    assert recorded()

    with ad.enable_grad():
        ad.set_grad_enabled(False)
        assert not recorded()
    assert recorded()

    context = ad.set_grad_enabled(False)
    assert not recorded()
    with context:
        assert not recorded()
    assert recorded()
    with context:
        assert not recorded()
    assert recorded()


async def asynchronous():
    return 1


async def asynchronous_generator():
    yield 1


@pytest.mark.parametrize(
    ("misuse", "pattern"),
    [
        (lambda: ad.no_grad(3), r"no_grad takes no argument, got 3.*with no_grad\(\):"),
        (lambda: ad.enable_grad("x"), r"enable_grad takes no argument, got 'x'"),
        (lambda: ad.no_grad()(3), r"no_grad decorates functions, not 3"),
        (lambda: ad.no_grad()(dict), r"decorates functions, not dict.*Decorate the methods"),
        (lambda: ad.no_grad()(asynchronous), r"asynchronous asynchronous: .*await"),
        (lambda: ad.no_grad(asynchronous_generator), r"asynchronous asynchronous_generator"),
        (lambda: ad.set_grad_enabled(recorded), r"set_grad_enabled needs True or False"),
        (lambda: ad.set_grad_enabled(1), r"set_grad_enabled needs True or False, got 1"),
        (lambda: ad.name_scope(recorded), r"name_scope needs a name.*name_scope\('block'\)"),
        (lambda: ad.name_scope(3), r"name_scope needs a name, got 3"),
    ],
)
def test_misuse(misuse, pattern):
    with pytest.raises(OptionError, match=pattern):
        misuse()


# -- scopes ------------------------------------------------


def test_scopes_are_remembered():
    x = ad.tensor(1.0, requires_grad=True)
    with ad.name_scope("encoder"):
        a = x * 2
        with ad.name_scope("block 0"):
            b = a * 2
            first, _ = ad.unstack(ad.stack([b, b]))
        c = b * 2
        leaf = ad.tensor(1.0, requires_grad=True)
    assert (x * 2).node.scope == ()
    assert a.node.scope == c.node.scope == leaf.node.scope == ("encoder",)
    assert b.node.scope == first.node.scope == ("encoder", "block 0")


def test_scopes_decorate_and_keep_the_mode():
    @ad.name_scope("f")
    def f(x):
        return x * 2

    x = ad.tensor(1.0, requires_grad=True)
    with ad.name_scope("outer"):
        assert f(x).node.scope == ("outer", "f")
    with ad.no_grad():
        assert not f(x).requires_grad


def test_names():
    x = ad.tensor([1.0], requires_grad=True, name="weights")
    assert x.node.name == "weights"
    y = x * 2
    assert y.node.name is None
    y.name = "doubled"
    assert y.node.name == "doubled"


# -- dtypes ------------------------------------------------


def test_default_dtype_in_a_block():
    assert ad.tensor(1.0).dtype == np.float32
    with ad.default_dtype(ad.float64):
        assert ad.tensor(1.0).dtype == np.float64
        assert ad.get_default_dtype() == np.float64
        with ad.default_dtype(ad.float16):
            assert ad.tensor([1.0]).dtype == np.float16
    assert ad.tensor(1.0).dtype == np.float32
    with pytest.raises(DTypeError, match=r"float16, float32 or float64, not int64"):
        ad.default_dtype(ad.int64)


# -- observers ------------------------------------------------


def test_observers_add_up_and_end():
    first, second = [], []
    x = ad.tensor(1.0, requires_grad=True)
    with observe(lambda primitive, *_: first.append(primitive.name)):
        x * 2
        with observe(lambda primitive, *_: second.append(primitive.name)):
            ad.exp(x)
        with ad.no_grad():
            x * 3
    x + 1
    assert first == ["multiply", "exp"]
    assert second == ["exp"]


# -- threads ------------------------------------------------


def test_modes_belong_to_a_thread():
    seen = {}
    inside, done = threading.Event(), threading.Event()

    def work():
        inside.wait(5)
        seen["recorded"] = recorded()
        seen["dtype"] = ad.tensor(1.0).dtype
        with ad.name_scope("thread"):
            seen["scope"] = (ad.tensor(1.0, requires_grad=True) * 2).node.scope
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    with ad.no_grad(), ad.default_dtype(ad.float64), ad.name_scope("main"):
        inside.set()
        assert done.wait(5)
        assert not recorded()
    thread.join()
    assert seen == {"recorded": True, "dtype": np.float32, "scope": ("thread",)}


def test_threads_may_share_a_context():
    """Its stack is each thread's own, whatever the order in which they leave."""
    context = ad.no_grad()
    entered, leave = threading.Event(), threading.Event()
    seen = []

    def work():
        with ad.name_scope("thread"), context:
            entered.set()
            leave.wait(5)
            seen.append(recorded())
        seen.append(recorded())
        seen.append(local.mode.scope)

    thread = threading.Thread(target=work)
    with context:
        thread.start()
        entered.wait(5)
    assert recorded()
    leave.set()
    thread.join()
    assert seen == [False, True, ()]


def test_a_decorated_function_in_many_threads():
    failures = []

    @ad.no_grad()
    def without():
        return recorded()

    def work():
        failures.extend(1 for _ in range(300) if without() or not recorded())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
