"""The models that are timed, written once from basic operations, for every system.

Each takes the operations of a system (:class:`Operations`), weights by name, and the data,
and returns the loss. The weights are float32 arrays under PyTorch's names, so that layers of
``nn`` and of PyTorch load the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Weights = Mapping[str, Any]


class Operations(NamedTuple):
    """What differs between the systems' spellings; the rest are operators and methods."""

    relu: Callable[[Any], Any]
    tanh: Callable[[Any], Any]
    sigmoid: Callable[[Any], Any]
    gelu: Callable[[Any], Any]
    softmax: Callable[[Any], Any]  # over the last axis
    log_softmax: Callable[[Any], Any]
    sqrt: Callable[[Any], Any]
    mean: Callable[[Any], Any]  # over the last axis, which is kept
    transpose: Callable[[Any, tuple[int, ...]], Any]
    split: Callable[[Any, int], Any]  # the last axis into so many parts
    unstack: Callable[[Any], Any]  # along the first axis
    stack: Callable[[Any], Any]  # along the first axis
    take: Callable[[Any, Any], Any]  # rows of a table
    pick: Callable[[Any, Any], Any]  # the entries (i, target[i])


@dataclass(frozen=True)
class Recurrent:
    """A language model on one recurrent layer."""

    kind: str
    hidden: int = 128
    batch: int = 32
    length: int = 64
    vocabulary: int = 64


@dataclass(frozen=True)
class Transformer:
    """A decoder-only language model, pre-norm."""

    layers: int
    width: int
    heads: int
    length: int
    batch: int
    vocabulary: int = 64


@dataclass(frozen=True)
class Perceptron:
    """A classifier."""

    sizes: tuple[int, ...] = (784, 256, 128, 10)
    batch: int = 64


Model = Perceptron | Recurrent | Transformer

MODELS: dict[str, Model] = {
    "MLP 64-128-64-10, batch 64": Perceptron((64, 128, 64, 10)),
    "MLP 784-256-128-10, batch 64": Perceptron(),
    "MLP 784-1024-1024-10, batch 2048": Perceptron((784, 1024, 1024, 10), 2048),
    "LSTM hidden 128, batch 32, length 64": Recurrent("LSTM"),
    "GRU hidden 128, batch 32, length 64": Recurrent("GRU"),
    "Transformer 4 x d128, length 64, batch 16": Transformer(4, 128, 4, 64, 16),
    "Transformer 6 x d384, length 256, batch 8": Transformer(6, 384, 6, 256, 8),
}


def make_weights(model: Model) -> dict[str, np.ndarray]:
    """Return random weights: matrices ``(out, in)`` of variance ``1 / in``, small vectors."""
    rng = np.random.default_rng(0)

    def matrix(out: int, inputs: int) -> np.ndarray:
        return (rng.standard_normal((out, inputs)) / inputs**0.5).astype(np.float32)

    def vector(size: int, about: float = 0.0) -> np.ndarray:
        return (about + 0.1 * rng.standard_normal(size)).astype(np.float32)

    def affine(name: str, out: int, inputs: int) -> None:
        weights[f"{name}.weight"] = matrix(out, inputs)
        weights[f"{name}.bias"] = vector(out)

    weights: dict[str, np.ndarray] = {}
    match model:
        case Perceptron(sizes):
            for i in range(len(sizes) - 1):
                affine(str(2 * i), sizes[i + 1], sizes[i])
        case Recurrent(kind, hidden, vocabulary=vocabulary):
            gates = {"LSTM": 4, "GRU": 3}[kind]
            weights["embedding.weight"] = matrix(vocabulary, hidden)
            for part in ("ih", "hh"):
                weights[f"cell.weight_{part}_l0"] = matrix(gates * hidden, hidden)
                weights[f"cell.bias_{part}_l0"] = vector(gates * hidden)
            affine("head", vocabulary, hidden)
        case Transformer(layers, width, _, length, _, vocabulary):
            weights["embedding.weight"] = matrix(vocabulary, width)
            weights["positions"] = 0.1 * matrix(length, width)
            for i in range(layers):
                name = f"encoder.layers.{i}"
                weights[f"{name}.self_attn.in_proj_weight"] = matrix(3 * width, width)
                weights[f"{name}.self_attn.in_proj_bias"] = vector(3 * width)
                affine(f"{name}.self_attn.out_proj", width, width)
                affine(f"{name}.linear1", 4 * width, width)
                affine(f"{name}.linear2", width, 4 * width)
                for norm in ("norm1", "norm2"):
                    weights[f"{name}.{norm}.weight"] = vector(width, 1.0)
                    weights[f"{name}.{norm}.bias"] = vector(width)
            weights["encoder.norm.weight"] = vector(width, 1.0)
            weights["encoder.norm.bias"] = vector(width)
            affine("head", vocabulary, width)
    return weights


def make_data(model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Return input and target: ``(N, D)`` and ``(N,)``, or both ``(T, N)``, or ``(N, T)``."""
    rng = np.random.default_rng(1)
    match model:
        case Perceptron(sizes, batch):
            x = rng.standard_normal((batch, sizes[0])).astype(np.float32)
            return x, rng.integers(0, sizes[-1], batch)
        case Recurrent():
            shape: tuple[int, int] = (model.length, model.batch)
        case Transformer():
            shape = (model.batch, model.length)
    return rng.integers(0, model.vocabulary, shape), rng.integers(0, model.vocabulary, shape)


def loss_of(ops: Operations, model: Model, weights: Weights, x: Any, target: Any) -> Any:
    """Compute the mean cross-entropy from basic operations."""
    match model:
        case Perceptron(sizes):
            logits = _perceptron(ops, weights, x, len(sizes) - 1)
        case Recurrent(kind):
            inputs = ops.take(weights["embedding.weight"], x)
            cell = {"LSTM": _lstm, "GRU": _gru}[kind]
            logits = _affine(weights, "head", cell(ops, weights, inputs, model))
        case Transformer():
            logits = _transformer(ops, weights, x, model)
    chosen = ops.pick(ops.log_softmax(logits).reshape(-1, logits.shape[-1]), target.reshape(-1))
    return -chosen.sum() / target.size if isinstance(target, np.ndarray) else -chosen.mean()


def _affine(weights: Weights, name: str, x: Any) -> Any:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _perceptron(ops: Operations, weights: Weights, x: Any, layers: int) -> Any:
    for i in range(layers):
        x = _affine(weights, str(2 * i), x)
        if i < layers - 1:
            x = ops.relu(x)
    return x


def _lstm(ops: Operations, weights: Weights, inputs: Any, model: Recurrent) -> Any:
    bias = weights["cell.bias_ih_l0"] + weights["cell.bias_hh_l0"]
    projected = inputs @ weights["cell.weight_ih_l0"].T + bias
    recurrent = weights["cell.weight_hh_l0"].T
    h = c = ops.take(weights["embedding.weight"], np.zeros(model.batch, np.int64)) * 0.0
    states = []
    for step in ops.unstack(projected):
        i, f, g, o = ops.split(step + h @ recurrent, 4)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        states.append(h)
    return ops.stack(states)


def _gru(ops: Operations, weights: Weights, inputs: Any, model: Recurrent) -> Any:
    projected = inputs @ weights["cell.weight_ih_l0"].T + weights["cell.bias_ih_l0"]
    recurrent, bias = weights["cell.weight_hh_l0"].T, weights["cell.bias_hh_l0"]
    h = ops.take(weights["embedding.weight"], np.zeros(model.batch, np.int64)) * 0.0
    states = []
    for step in ops.unstack(projected):
        input_r, input_z, input_n = ops.split(step, 3)
        hidden_r, hidden_z, hidden_n = ops.split(h @ recurrent + bias, 3)
        r, z = ops.sigmoid(input_r + hidden_r), ops.sigmoid(input_z + hidden_z)
        n = ops.tanh(input_n + r * hidden_n)
        h = n + z * (h - n)
        states.append(h)
    return ops.stack(states)


def _norm(ops: Operations, weights: Weights, name: str, x: Any) -> Any:
    centred = x - ops.mean(x)
    scaled = centred / ops.sqrt(ops.mean(centred * centred) + 1e-5)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _transformer(ops: Operations, weights: Weights, x: Any, model: Transformer) -> Any:
    batch, length, width, heads = model.batch, model.length, model.width, model.heads
    future = np.triu(np.full((length, length), -1e30, np.float32), 1)
    mask = type(weights["positions"])(future) if not isinstance(x, np.ndarray) else future
    x = ops.take(weights["embedding.weight"], x) + weights["positions"]
    for i in range(model.layers):
        name = f"encoder.layers.{i}"
        y = _norm(ops, weights, f"{name}.norm1", x)
        projected = y @ weights[f"{name}.self_attn.in_proj_weight"].T
        projected = projected + weights[f"{name}.self_attn.in_proj_bias"]
        parts = projected.reshape(batch, length, 3, heads, width // heads)
        q, k, v = ops.unstack(ops.transpose(parts, (2, 0, 3, 1, 4)))
        scores = q * (width // heads) ** -0.5 @ ops.transpose(k, (0, 1, 3, 2)) + mask
        mixed = ops.transpose(ops.softmax(scores) @ v, (0, 2, 1, 3)).reshape(batch, length, width)
        x = x + _affine(weights, f"{name}.self_attn.out_proj", mixed)
        y = _affine(weights, f"{name}.linear1", _norm(ops, weights, f"{name}.norm2", x))
        x = x + _affine(weights, f"{name}.linear2", ops.gelu(y))
    return _affine(weights, "head", _norm(ops, weights, "encoder.norm", x))
