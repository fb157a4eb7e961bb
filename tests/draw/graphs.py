"""Recorded graphs to look at, for the tests of pages and for their benchmark."""

from __future__ import annotations

import numpy as np

import autodiff as ad
import nn


def neuron():
    """tanh(x * w + b) * x: the first operand is used twice."""
    x = ad.tensor(2.0, requires_grad=True, name="x")
    w = ad.tensor(-3.0, requires_grad=True, name="w")
    b = ad.tensor(6.8813735870195432, requires_grad=True, name="b")
    with ad.record():
        y = ad.tanh(x * w + b) * x
    y.name = "y"
    return y


def perceptron(record=True):
    """The cross entropy of a network of two layers, and names for its tensors."""
    rng = np.random.default_rng(0)
    model = nn.MLP([8, 6, 3])
    x = ad.asarray(rng.normal(size=(5, 8)).astype(np.float32))
    labels = ad.asarray(rng.integers(0, 3, 5))
    names = [*model.named_parameters(), ("digits", x), ("labels", labels)]
    if not record:
        return nn.cross_entropy(model(x), labels), names
    with ad.record():
        return nn.cross_entropy(model(x), labels), names


def recurrence(length=8, scale=0.4):
    """An LSTM's equations, with a name scope for each time step."""
    rng = np.random.default_rng(0)
    width, hidden = 6, 8

    def parameter(name, *shape):
        values = (rng.normal(size=shape) * scale).astype(np.float32)
        return ad.tensor(values, requires_grad=True, name=name)

    w = parameter("W_x", width, 4 * hidden)
    u = parameter("W_h", hidden, 4 * hidden)
    b = parameter("b", 4 * hidden)
    x = rng.normal(size=(length, 5, width)).astype(np.float32)
    with ad.record(), ad.name_scope("LSTM"):
        h = c = ad.zeros((5, hidden))
        for t in range(length):
            with ad.name_scope(f"step {t}"):
                z = x[t] @ w + h @ u + b
                i, f, g, o = (z[:, k * hidden : (k + 1) * hidden] for k in range(4))
                c = ad.sigmoid(f) * c + ad.sigmoid(i) * ad.tanh(g)
                h = ad.sigmoid(o) * ad.tanh(c)
    with ad.record():
        return (h * h).mean()


class Attention(nn.Module):
    def __init__(self, width, heads):
        self.heads = heads
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(self, x):
        batch, length, width = x.shape
        split = (batch, length, self.heads, width // self.heads)
        q, k, v = (
            ad.permute_dims(part(x).reshape(split), (0, 2, 1, 3))
            for part in (self.q, self.k, self.v)
        )
        scores = q @ ad.matrix_transpose(k) / float(np.sqrt(split[-1]))
        mixed = ad.permute_dims(ad.softmax(scores, axis=-1) @ v, (0, 2, 1, 3))
        return self.out(mixed.reshape(x.shape))


class Norm(nn.Module):
    def __init__(self, width):
        self.weight = nn.Parameter(np.ones(width, np.float32))
        self.bias = nn.Parameter(np.zeros(width, np.float32))

    def forward(self, x):
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = (centred * centred).mean(axis=-1, keepdims=True)
        return centred / ad.sqrt(variance + 1e-5) * self.weight + self.bias


class Block(nn.Module):
    def __init__(self, width, heads):
        self.norm1, self.norm2 = Norm(width), Norm(width)
        self.attention = Attention(width, heads)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.down(ad.relu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self, layers, width, heads):
        self.layers = nn.Sequential(*(Block(width, heads) for _ in range(layers)))

    def forward(self, x):
        return self.layers(x)


def transformer(layers=1, batch=4, length=10, width=16, heads=2):
    """Blocks of pre-norm attention and feed-forward layers, and names for their tensors."""
    model = Transformer(layers, width, heads)
    rng = np.random.default_rng(0)
    x = ad.asarray(rng.normal(size=(batch, length, width)).astype(np.float32))
    with ad.record():
        loss = (model(x) ** 2).mean()
    return loss, [*model.named_parameters(), ("tokens", x)]


def translation():
    """A sequence-to-sequence model with attention: time steps that have modules in them."""
    ad.random.seed(0)
    decoder = nn.Decoder(12, 4, 6, attention="bahdanau", memory_size=6)
    model = nn.Seq2Seq(nn.Encoder(12, 4, 6), decoder, start=1, end=2)
    source, target = ad.random.integers(0, 12, (2, 5)), ad.random.integers(0, 12, (2, 4))
    with ad.record():
        scores = model(source, target)
        return (scores * scores).mean(), list(model.named_parameters())
