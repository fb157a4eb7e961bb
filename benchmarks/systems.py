"""The systems that are timed: each makes a training step of a model of :mod:`benchmarks.models`.

A step runs forward, backward and the update (SGD for the perceptron, Adam for the others),
and returns the loss. All start from the same weights and data, in float32. A system whose
packages are not installed raises ImportError; one that has no such model NotImplementedError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from benchmarks.models import (
    Model,
    Operations,
    Perceptron,
    Recurrent,
    loss_of,
    make_data,
    make_weights,
)

Step = Callable[[], float]
RATE = 1e-3


def autodiff_layers(model: Model) -> Step:
    """``nn`` as a user writes it."""
    import autodiff as ad
    import nn

    network = _network(nn, model, lambda x: ad.gelu(x, approximate="tanh"))
    network.load_state_dict(_state(model))
    x, target = map(ad.asarray, make_data(model))
    mask = _future(nn, model)

    def loss_of_layers() -> Any:
        logits = _logits(network, model, x, mask)
        return nn.cross_entropy(logits.reshape(-1, logits.shape[-1]), target.reshape(-1))

    return _training(loss_of_layers, _optimizer(nn.optim, model, network.parameters()))


def autodiff_operations(model: Model) -> Step:
    """The basic operations of :mod:`benchmarks.models`."""
    import autodiff as ad
    import nn

    ops = Operations(
        relu=ad.relu,
        tanh=ad.tanh,
        sigmoid=ad.sigmoid,
        gelu=lambda x: ad.gelu(x, approximate="tanh"),
        softmax=lambda x: ad.softmax(x, axis=-1),
        log_softmax=lambda x: ad.log_softmax(x, axis=-1),
        sqrt=ad.sqrt,
        mean=lambda x: ad.mean(x, axis=-1, keepdims=True),
        transpose=ad.permute_dims,
        split=lambda x, n: ad.split(x, n, axis=-1),
        unstack=ad.unstack,
        stack=ad.stack,
        take=lambda table, index: ad.take(table, index, axis=0),
        pick=lambda x, target: ad.take_along_axis(x, target[:, None], axis=1),
    )
    weights = {name: nn.Parameter(w) for name, w in make_weights(model).items()}
    x, target = make_data(model)
    optimizer = _optimizer(nn.optim, model, weights.values())
    return _training(lambda: loss_of(ops, model, weights, x, target), optimizer)


def torch_operations(model: Model) -> Step:
    """PyTorch eager, from the same basic operations."""
    import torch
    from torch.nn import functional

    ops = Operations(
        relu=torch.relu,
        tanh=torch.tanh,
        sigmoid=torch.sigmoid,
        gelu=lambda x: functional.gelu(x, approximate="tanh"),
        softmax=lambda x: torch.softmax(x, -1),
        log_softmax=lambda x: torch.log_softmax(x, -1),
        sqrt=torch.sqrt,
        mean=lambda x: x.mean(-1, keepdim=True),
        transpose=torch.permute,
        split=lambda x, n: torch.chunk(x, n, -1),
        unstack=torch.unbind,
        stack=torch.stack,
        take=lambda table, index: functional.embedding(torch.as_tensor(index), table),
        pick=lambda x, target: x.gather(1, target[:, None]),
    )
    arrays = make_weights(model).items()
    weights = {name: torch.tensor(w, requires_grad=True) for name, w in arrays}
    x, target = map(torch.tensor, make_data(model))
    optimizer = _optimizer(torch.optim, model, weights.values())
    return _training(lambda: loss_of(ops, model, weights, x, target), optimizer)


def torch_layers(model: Model) -> Step:
    """PyTorch eager, with its fused layers."""
    import torch
    from torch import nn

    network = _network(nn, model, lambda x: nn.functional.gelu(x, approximate="tanh"))
    state = {name: torch.tensor(w) for name, w in _state(model).items()}
    network.load_state_dict(state)
    x, target = map(torch.tensor, make_data(model))
    mask = _future(nn, model)

    def loss_of_layers() -> Any:
        logits = _logits(network, model, x, mask)
        return nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), target.reshape(-1))

    return _training(loss_of_layers, _optimizer(torch.optim, model, network.parameters()))


def hips(model: Model) -> Step:
    """HIPS autograd."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    def log_softmax(x: Any) -> Any:
        shifted = x - anp.max(x, axis=-1, keepdims=True)
        return shifted - anp.log(anp.sum(anp.exp(shifted), axis=-1, keepdims=True))

    def softmax(x: Any) -> Any:
        exps = anp.exp(x - anp.max(x, axis=-1, keepdims=True))
        return exps / anp.sum(exps, axis=-1, keepdims=True)

    ops = Operations(
        relu=lambda x: anp.maximum(x, np.float32(0)),
        tanh=anp.tanh,
        sigmoid=lambda x: np.float32(0.5) * (anp.tanh(np.float32(0.5) * x) + np.float32(1)),
        gelu=lambda x: _gelu(anp, x),
        softmax=softmax,
        log_softmax=log_softmax,
        sqrt=anp.sqrt,
        mean=lambda x: anp.mean(x, axis=-1, keepdims=True),
        transpose=anp.transpose,
        split=lambda x, n: anp.split(x, n, axis=-1),
        unstack=lambda x: [x[i] for i in range(x.shape[0])],
        stack=anp.stack,
        take=lambda table, index: table[index],
        pick=lambda x, target: x[np.arange(len(target)), target],
    )
    weights = make_weights(model)
    x, target = make_data(model)
    run = value_and_grad(lambda weights: loss_of(ops, model, weights, x, target))
    update = _update(model, weights)

    def step() -> float:
        loss, gradients = run(weights)
        update(gradients)
        return float(loss)

    return step


def mygrad(model: Model) -> Step:
    """MyGrad."""
    import mygrad as mg
    from mygrad.nnet.activations import logsoftmax, sigmoid, softmax

    def split(x: Any, n: int) -> list[Any]:
        size = x.shape[-1] // n
        return [x[..., i * size : (i + 1) * size] for i in range(n)]

    ops = Operations(
        relu=lambda x: mg.maximum(x, 0),
        tanh=mg.tanh,
        sigmoid=sigmoid,
        gelu=lambda x: _gelu(mg, x),
        softmax=softmax,
        log_softmax=logsoftmax,
        sqrt=mg.sqrt,
        mean=lambda x: mg.mean(x, axis=-1, keepdims=True),
        transpose=mg.transpose,
        split=split,
        unstack=lambda x: [x[i] for i in range(x.shape[0])],
        stack=mg.stack,
        take=lambda table, index: table[index],
        pick=lambda x, target: x[np.arange(len(target)), target],
    )
    weights = {name: mg.tensor(w) for name, w in make_weights(model).items()}
    x, target = make_data(model)
    update = _update(model, {name: w.data for name, w in weights.items()})

    def step() -> float:
        loss = loss_of(ops, model, weights, x, target)
        loss.backward()
        update({name: w.grad for name, w in weights.items()})
        return float(loss.item())

    return step


def by_hand(model: Model) -> Step:
    """NumPy without a graph: the perceptron's derivative as a person writes it, in place."""
    import autodiff  # noqa: F401 - whose allocator keeps freed memory: here the same

    if not isinstance(model, Perceptron):
        raise NotImplementedError
    arrays = list(make_weights(model).values())
    layers = list(zip(arrays[::2], arrays[1::2], strict=True))
    x, target = make_data(model)
    entries = np.arange(len(target)), target

    def step() -> float:
        inputs = [x]
        for i, (weight, bias) in enumerate(layers):
            y = inputs[-1] @ weight.T
            y += bias
            if i < len(layers) - 1:
                np.maximum(y, 0, out=y)
            inputs.append(y)
        logits = inputs.pop()
        logits -= logits.max(axis=1, keepdims=True)
        g = np.exp(logits)
        total = g.sum(axis=1, keepdims=True)
        loss = np.log(total[:, 0]).mean() - logits[entries].mean()
        g /= total
        g[entries] -= 1
        g /= np.float32(len(target))
        for i, (weight, bias) in reversed(list(enumerate(layers))):
            slope, offset = g.T @ inputs[i], g.sum(axis=0)
            if i:
                g = g @ weight
                g *= inputs[i] > 0
            slope *= np.float32(RATE)
            np.subtract(weight, slope, out=weight)
            np.subtract(bias, np.float32(RATE) * offset, out=bias)
        return float(loss)

    return step


def matmuls(model: Model) -> Step:
    """The matrix products alone, in NumPy, forward and backward: the floor of them all."""
    import autodiff as ad
    from autodiff.engine.modes import observe

    products: list[tuple[np.ndarray, np.ndarray, np.ndarray, bool]] = []

    def note(primitive: Any, values: Any, out: Any, options: Any, node: Any) -> None:
        if primitive is ad.matmul.primitive:  # the data need no gradient
            products.append((*map(np.copy, (*values, out)), node.inputs[0] is not None))

    run = autodiff_operations(model)
    with observe(note):
        run()

    def step() -> float:
        for x1, x2, out, needed in products:
            left, gradient = x1, out
            if x2.ndim == 2:
                left, gradient = x1.reshape(-1, x1.shape[-1]), out.reshape(-1, out.shape[-1])
            _ = left @ x2, left.mT @ gradient
            if needed:
                _ = gradient @ x2.mT
        return float("nan")

    return step


SYSTEMS: dict[str, Callable[[Model], Step]] = {
    "autodiff, nn": autodiff_layers,
    "autodiff, basic operations": autodiff_operations,
    "PyTorch, same operations": torch_operations,
    "PyTorch, fused layers": torch_layers,
    "HIPS autograd": hips,
    "MyGrad": mygrad,
    "NumPy by hand": by_hand,
    "matmuls alone (NumPy)": matmuls,
}


def _training(loss_of_weights: Callable[[], Any], optimizer: Any) -> Step:
    def step() -> float:
        loss = loss_of_weights()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def _optimizer(optim: Any, model: Model, parameters: Iterable[Any]) -> Any:
    kind = optim.SGD if isinstance(model, Perceptron) else optim.Adam
    return kind(list(parameters), lr=RATE)


def _update(model: Model, weights: dict[str, np.ndarray]) -> Callable[[dict[str, Any]], None]:
    """Return SGD, or Adam as the paper has it, for systems that bring none."""
    if isinstance(model, Perceptron):

        def descend(gradients: dict[str, Any]) -> None:
            for name, w in weights.items():
                w[...] -= np.float32(RATE) * gradients[name]

        return descend
    first = {name: np.zeros_like(w) for name, w in weights.items()}
    second = {name: np.zeros_like(w) for name, w in weights.items()}
    steps = [0]

    def adam(gradients: dict[str, Any]) -> None:
        steps[0] += 1
        correction1, correction2 = 1 - 0.9 ** steps[0], 1 - 0.999 ** steps[0]
        for name, w in weights.items():
            g, m, v = gradients[name], first[name], second[name]
            m += np.float32(0.1) * (g - m)
            v += np.float32(0.001) * (g * g - v)
            root = np.sqrt(v / np.float32(correction2)) + np.float32(1e-8)
            w[...] -= np.float32(RATE / correction1) * m / root

    return adam


def _gelu(xp: Any, x: Any) -> Any:
    """Compute the tanh form, for systems that have none of their own."""
    inner = np.float32((2 / np.pi) ** 0.5) * (x + np.float32(0.044715) * x * x * x)
    return np.float32(0.5) * x * (1 + xp.tanh(inner))


def _network(nn: Any, model: Model, gelu: Callable[[Any], Any]) -> Any:
    """Build the model from layers, of PyTorch's ``nn`` or of ours: the same calls."""
    if isinstance(model, Perceptron):
        layers: list[Any] = []
        for i in range(len(model.sizes) - 1):
            layers += [nn.Linear(model.sizes[i], model.sizes[i + 1]), nn.ReLU()]
        return nn.Sequential(*layers[:-1])
    parts: dict[str, Any] = {}
    if isinstance(model, Recurrent):
        width = model.hidden
        parts["cell"] = getattr(nn, model.kind)(width, width)
    else:
        width = model.width
        parts["positions"] = nn.Embedding(model.length, width)
        layer = nn.TransformerEncoderLayer(
            width,
            model.heads,
            4 * width,
            dropout=0.0,
            activation=gelu,
            batch_first=True,
            norm_first=True,
        )
        options = {"enable_nested_tensor": False} if "torch" in nn.__name__ else {}
        parts["encoder"] = nn.TransformerEncoder(
            layer, model.layers, norm=nn.LayerNorm(width), **options
        )
    parts["embedding"] = nn.Embedding(model.vocabulary, width)
    parts["head"] = nn.Linear(width, model.vocabulary)
    return nn.ModuleDict(parts)


def _state(model: Model) -> dict[str, np.ndarray]:
    weights = make_weights(model)
    if "positions" in weights:
        weights["positions.weight"] = weights.pop("positions")
    return weights


def _logits(network: Any, model: Model, x: Any, mask: Any) -> Any:
    if isinstance(model, Perceptron):
        return network(x)
    y = network["embedding"](x)
    if isinstance(model, Recurrent):
        y, _ = network["cell"](y)
    else:
        y = network["encoder"](y + network["positions"].weight, mask=mask, is_causal=True)
    return network["head"](y)


def _future(nn: Any, model: Model) -> Any:
    if isinstance(model, (Perceptron, Recurrent)):
        return None
    return nn.Transformer.generate_square_subsequent_mask(model.length)
