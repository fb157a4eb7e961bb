"""Draws the README's picture: python docs/neuron.py"""  # noqa: INP001, D400

from pathlib import Path

import autodiff as ad

x = ad.tensor(2.0, requires_grad=True, name="x")
w = ad.tensor(-3.0, requires_grad=True, name="w")
b = ad.tensor(6.9, requires_grad=True, name="b")
with ad.record():
    y = ad.tanh(x * w + b)
y.name = "y"
y.backward()
ad.draw.save(y, Path(__file__).with_suffix(".svg"))
