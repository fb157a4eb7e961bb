"""Graphs of any depth, freed at once; memory that stays flat without the cyclic collector."""

from __future__ import annotations

import gc
import os
import platform
import subprocess
import sys
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import autodiff as ad
from autodiff.func import grad, hvp


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def step(w, b, x, target):
    """A training step of a small network, with a bit of everything a user's loop does."""
    w.grad = b.grad = None
    h = ad.tanh(x @ w + b)
    h[0] = 0.0
    left, right = ad.unstack(ad.stack([h, h * 2]))
    loss = ((left + right - target) ** 2).mean()
    loss.backward()
    with ad.no_grad():
        w -= 0.01 * w.grad
        b -= 0.01 * b.grad
    return loss.item()


def setup():
    rng = np.random.default_rng(0)
    w = ad.tensor(rng.standard_normal((3, 2)), requires_grad=True)
    b = ad.tensor(np.zeros(2), requires_grad=True)
    return w, b, ad.tensor(rng.standard_normal((4, 3))), ad.tensor(rng.standard_normal((4, 2)))


def test_flat_memory_over_ten_thousand_steps(no_collector):
    state = setup()
    for _ in range(3_000):  # until the interpreter's free lists are full
        step(*state)
    blocks, objects = sys.getallocatedblocks(), len(gc.get_objects())
    for _ in range(10_000):
        step(*state)
    assert sys.getallocatedblocks() < blocks + 500
    assert len(gc.get_objects()) < objects + 100


def test_flat_array_memory(no_collector):
    """The same for the arrays' own memory, which the interpreter does not count."""
    state = setup()
    for _ in range(100):
        step(*state)
    tracemalloc.start()
    step(*state)
    start = tracemalloc.get_traced_memory()[0]
    for _ in range(500):
        step(*state)
    grown = tracemalloc.get_traced_memory()[0] - start
    tracemalloc.stop()
    assert grown < 500 * 500, "a step that stays behind takes thousands of bytes"


@pytest.mark.parametrize(
    "work",
    [
        lambda w, x: ad.grad((x @ w).sum(), w, create_graph=True),
        lambda w, x: grad(lambda w: ad.exp(x @ w).sum())(w),
        lambda w, x: hvp(lambda w: ad.exp(x @ w).sum(), (w,), (w,)),
        lambda w, x: ad.checkpoint(lambda: ad.exp(x @ w)).sum().backward(),
        lambda w, x: (x @ w).register_hook(print),
        lambda w, x: (x @ w).retain_grad(),
    ],
    ids=["create_graph", "grad", "hvp", "checkpoint", "hook", "retain_grad"],
)
def test_no_cycles(work, no_collector):
    w, _, x, _ = setup()
    for _ in range(3):
        work(w, x)
        w.grad = None
    gc.collect()
    for _ in range(10):
        work(w, x)
        w.grad = None
    assert gc.collect() == 0


def test_a_step_leaves_nothing_for_the_collector(no_collector):
    state = setup()
    step(*state)
    gc.collect()
    for _ in range(10):
        step(*state)
    assert gc.collect() == 0


def test_an_error_leaves_the_graph_to_reference_counting(no_collector):
    w, _, x, _ = setup()
    array = weakref.WeakValueDictionary()

    def fail():
        h = ad.exp(x @ w)
        array["h"] = h
        h.backward()

    with pytest.raises(ad.errors.GraphError):
        fail()
    assert not array


def chain(length):
    x = ad.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(length):
        y = y + 1.0
    return x, y


@pytest.mark.slow
def test_a_million_nodes(no_collector):
    x, y = chain(1_000_000)
    assert y.item() == 1_000_001.0
    y.backward()
    assert x.grad.item() == 1.0
    blocks = sys.getallocatedblocks()
    del y
    assert sys.getallocatedblocks() < blocks - 2_000_000


def test_a_long_chain_that_saves_arrays_is_freed_unused(no_collector):
    """Freeing a chain that was never passed must not recurse either."""
    x = ad.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(300_000):
        y = y * x
    del y, x


def test_a_long_chain_in_a_thread_with_a_small_stack():
    failures = []

    def work():
        try:
            x, y = chain(100_000)
            y.backward()
            del y
            assert x.grad.item() == 1.0
        except BaseException as error:  # noqa: BLE001 - handed to the main thread
            failures.append(error)

    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert not failures


def test_a_long_chain_differentiated_twice():
    x = ad.tensor(1.0, requires_grad=True, dtype=np.float64)
    y = x
    for _ in range(20_000):
        y = y * 1.0001
    (g,) = ad.grad(y * y, x, create_graph=True)
    (second,) = ad.grad(g, x)
    assert second.item() == pytest.approx(2 * 1.0001**40_000)
    assert sys.getrecursionlimit() < 20_000


def test_a_graph_dies_with_its_last_handle(no_collector):
    x = ad.tensor(np.ones(1000), requires_grad=True)
    h = ad.exp(x)
    y = h * h
    array = weakref.ref(h.array)
    del h
    assert array() is not None
    del y
    assert array() is None


def test_backward_frees_what_was_saved(no_collector):
    x = ad.tensor(np.ones(1000), requires_grad=True)
    h = ad.exp(x)
    y = (h * h).sum()
    array = weakref.ref(h.array)
    del h
    y.backward()
    assert array() is None


def test_only_what_rules_read_is_kept(no_collector):
    x = ad.tensor(np.ones(1000), requires_grad=True)
    h = ad.exp(x)
    y = h + 1.0
    z = y.reshape(10, 100).sum(axis=0)
    array = weakref.ref(y.array)
    del y
    assert array() is None
    z.sum().backward()


def test_peak_of_a_deep_chain_of_cheap_operations():
    """Sums and shapes keep no arrays: the peak is a few arrays, not one for each node."""
    x = ad.tensor(np.ones(10_000), requires_grad=True)
    gc.collect()
    tracemalloc.start()
    y = x
    for _ in range(200):
        y = (y + 1.0).reshape(100, 100).T.reshape(-1)
    y.sum().backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * x.nbytes


def test_gradients_of_passed_nodes_are_dropped():
    """During a backward pass only the gradients that are still needed are alive."""
    x = ad.tensor(np.ones(10_000), requires_grad=True)
    y = x
    for _ in range(200):
        y = -y
    gc.collect()
    tracemalloc.start()
    y.sum().backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * x.nbytes


def test_the_record_of_changes_does_not_grow(no_collector):
    from autodiff.engine import node

    w, _, _, _ = setup()
    before = len(node._changes)
    for _ in range(1000):
        t = ad.tensor(np.ones(3))
        with ad.no_grad():
            t += 1.0
            w *= 1.0
    del t
    assert len(node._changes) <= before + 1


FAULTS = """
import resource, sys
import numpy as np
if "with" in sys.argv:
    import autodiff
def step():
    arrays = [np.ones(250_000) for _ in range(20)]
for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_serves_the_next_arrays():
    """A page that is mapped anew costs a fault: 9,766 in each of ten rounds."""

    def faults(*arguments):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
        command = [sys.executable, "-c", FAULTS, *arguments]
        return int(subprocess.check_output(command, env=environment, text=True))

    assert faults("with") * 5 < faults()
