"""The adding problem: what has gates remembers over a hundred steps, what has none does not.

Each step has a number from 0 to 1 and a mark; two steps are marked, one in either half, and
the answer is the sum of their numbers (Hochreiter and Schmidhuber 1997, experiment 4). Always
to say 1 gives the mean squared error 1 / 6.
"""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
import nn

STEPS, HIDDEN = 100, 32


def problem(rng, count):
    x = np.zeros((STEPS, count, 2), np.float32)
    x[:, :, 0] = rng.random((STEPS, count))
    marked = rng.integers(0, STEPS // 2, count), rng.integers(STEPS // 2, STEPS, count)
    sequences = np.arange(count)
    for times in marked:
        x[times, sequences, 1] = 1
    answer = sum(x[times, sequences, 0] for times in marked)
    return ad.asarray(x), ad.asarray(answer[:, None])


class Adder(nn.Module):
    def __init__(self, kind):
        self.rnn = getattr(nn, kind)(2, HIDDEN)
        self.out = nn.Linear(HIDDEN, 1)
        if kind == "LSTM":
            remember_for(self.rnn, np.random.default_rng(0).uniform(1, STEPS - 1, HIDDEN))

    def forward(self, x):
        output, _ = self.rnn(x)
        return self.out(output[-1])


def remember_for(lstm, durations):
    """Start each unit's gates so that it forgets after so many steps (Tallec, Ollivier 2018)."""
    forget = np.log(durations).astype(np.float32)
    with ad.no_grad():
        lstm.bias_hh_l0[: 2 * HIDDEN] = 0
        lstm.bias_ih_l0[:HIDDEN] = -forget
        lstm.bias_ih_l0[HIDDEN : 2 * HIDDEN] = forget


def error_after_training(kind, steps, enough):
    ad.random.seed(0)
    rng = np.random.default_rng(0)
    model = Adder(kind)
    x_test, y_test = problem(np.random.default_rng(1), 1000)
    optimizer = nn.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(1, steps + 1):
        x, y = problem(rng, 32)
        optimizer.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 0:
            with ad.no_grad():
                error = ((model(x_test) - y_test) ** 2).mean().item()
            if error < enough:
                break
    return error


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_gates_add_over_a_hundred_steps(kind):
    assert error_after_training(kind, 1500, enough=0.015) < 0.02


@pytest.mark.slow
def test_a_network_without_gates_does_not():
    assert error_after_training("RNN", 600, enough=0.0) > 0.15
