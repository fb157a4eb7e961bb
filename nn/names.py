"""What users of PyTorch look for in ``nn``, and what they find instead: data for messages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import autodiff as ad

__all__ = ["FUNCTIONS", "LAYERS", "OPTIONS", "called_here", "options_here"]

_PADDING = "call autodiff.pad(x, pad_width, mode) in forward"
_WHOLE = "multiply by nn.functional.dropout(autodiff.ones((N, C, 1, 1)), p, self.training)"
_POOLING = "take a window's view with autodiff.sliding_window_view and reduce it"

_COSINE = "divide both by autodiff.maximum(autodiff.norm(...), 1e-8) and call autodiff.vecdot"

LAYERS = {
    "AdaptiveMaxPool1d": _POOLING,
    "AdaptiveMaxPool2d": _POOLING,
    "Buffer": "it is register_buffer(name, tensor) here",
    "CircularPad1d": _PADDING,
    "CircularPad2d": _PADDING,
    "ConcatDataset": "anything with __len__ and __getitem__ is a dataset: join them in one",
    "ConstantLR": "it is LambdaLR(optimizer, lambda t: factor if t < total else 1) here",
    "ConstantPad1d": _PADDING,
    "ConstantPad2d": _PADDING,
    "CosineSimilarity": _COSINE,
    "CyclicLR": "it is LambdaLR(optimizer, lambda t: ...) here",
    "DataParallel": "there is one device: leave it out",
    "Dropout1d": _WHOLE,
    "Dropout2d": _WHOLE,
    "EmbeddingBag": "call Embedding, and sum or mean over the axis of the bag",
    "InstanceNorm1d": "it is GroupNorm(channels, channels) here",
    "InstanceNorm2d": "it is GroupNorm(channels, channels) here",
    "IterableDataset": "the trainer takes anything that gives batches when it is gone through",
    "LazyLinear": "sizes are given here: Linear(in_features, out_features)",
    "MarginRankingLoss": "it is autodiff.relu(-y * (x1 - x2) + margin).mean() here",
    "NLLLoss2d": "it is NLLLoss here",
    "PairwiseDistance": "it is autodiff.norm(x - y, axis=-1) here",
    "ParameterDict": "make each an attribute: setattr(self, name, nn.Parameter(...))",
    "ParameterList": "make each an attribute: setattr(self, name, nn.Parameter(...))",
    "PixelShuffle": "call reshape and permute_dims in forward",
    "PolynomialLR": "it is LambdaLR(optimizer, lambda t: (1 - t / total) ** power) here",
    "ReflectionPad1d": _PADDING,
    "ReflectionPad2d": _PADDING,
    "ReplicationPad1d": _PADDING,
    "ReplicationPad2d": _PADDING,
    "SyncBatchNorm": "there is one process: it is BatchNorm2d here",
    "Unfold": "it is autodiff.sliding_window_view(x, window, axis) here",
    "Upsample": "call autodiff.repeat(x, factor, axis) in forward, for each axis",
    "WeightedRandomSampler": "give the DataLoader a batch_sampler: lists of indices that you draw",
    "ZeroPad1d": _PADDING,
    "ZeroPad2d": _PADDING,
}
"""Layers that ``nn`` lacks."""

FUNCTIONS = {
    "adaptive_max_pool2d": _POOLING,
    "cosine_similarity": _COSINE,
    "gumbel_softmax": "softmax of the logits - log(-log(autodiff.random.uniform(size=...)))",
    "interpolate": "call autodiff.repeat(x, factor, axis) for each axis",
    "normalize": "it is x / autodiff.maximum(autodiff.norm(x, axis=..., keepdims=True), 1e-12)",
    "one_hot": "it is autodiff.eye(n)[labels] here",
    "pairwise_distance": "it is autodiff.norm(x - y, axis=-1) here",
    "unfold": "it is autodiff.sliding_window_view(x, window, axis) here",
    "upsample": "call autodiff.repeat(x, factor, axis) for each axis",
}
"""Functions that ``nn.functional`` lacks."""


_ALONE = "there is one device, the CPU: leave it out"
_FAST = "there is one way to compute it: leave it out"

OPTIONS = {
    "device": _ALONE,
    "foreach": _FAST,
    "fused": _FAST,
    "generator": "give a seed",
    "inplace": "leave it out: results are new tensors",
    "num_workers": "give prefetch=2 for batches that are made in the background",
    "pin_memory": _ALONE,
    "sampler": "give a batch_sampler, which gives lists of indices",
    "verbose": "leave it out: schedule.get_last_lr() tells the rates",
}
"""Options that calls here lack."""


def options_here(given: Iterable[str], parameters: Collection[str]) -> str:
    """Return what to say of a call's options that a function lacks.

    >>> options_here(["pin_memory", "dog"], ["batch_size"])
    '; pin_memory: there is one device, the CPU: leave it out'
    """
    said = [f"; {name}: {OPTIONS[name]}" for name in given if name in {*OPTIONS} - {*parameters}]
    return "".join(said)


def called_here(name: str, advice: Mapping[str, str]) -> str:
    """Return what to say of a name that is missing; nothing of one that is unknown.

    >>> called_here("ZeroPad2d", LAYERS), called_here("relu_", FUNCTIONS), called_here("dog", {})
    ('; call autodiff.pad(x, pad_width, mode) in forward', '; it is autodiff.relu here', '')
    """
    if name in advice:
        return f"; {advice[name]}"
    bare = name.removesuffix("_")
    return f"; it is autodiff.{bare} here" if hasattr(ad, bare) else ""
