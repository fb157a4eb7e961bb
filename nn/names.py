"""What users of PyTorch look for in ``nn``, and what they find instead: data for messages."""

from __future__ import annotations

from collections.abc import Mapping

import autodiff as ad

__all__ = ["FUNCTIONS", "LAYERS", "called_here"]

_PADDING = "call autodiff.pad(x, pad_width, mode) in forward"
_POOLING = "take a window's view with autodiff.sliding_window_view and reduce it"

LAYERS = {
    "AdaptiveMaxPool1d": _POOLING,
    "AdaptiveMaxPool2d": _POOLING,
    "Buffer": "it is register_buffer(name, tensor) here",
    "CircularPad1d": _PADDING,
    "CircularPad2d": _PADDING,
    "ConstantPad1d": _PADDING,
    "ConstantPad2d": _PADDING,
    "CosineSimilarity": "divide both by autodiff.norm and call autodiff.vecdot",
    "DataParallel": "there is one device: leave it out",
    "InstanceNorm1d": "it is GroupNorm(channels, channels) here",
    "InstanceNorm2d": "it is GroupNorm(channels, channels) here",
    "LazyLinear": "sizes are given here: Linear(in_features, out_features)",
    "NLLLoss2d": "it is NLLLoss here",
    "ParameterDict": "make each an attribute: setattr(self, name, nn.Parameter(...))",
    "ParameterList": "make each an attribute: setattr(self, name, nn.Parameter(...))",
    "PixelShuffle": "call reshape and permute_dims in forward",
    "ReflectionPad1d": _PADDING,
    "ReflectionPad2d": _PADDING,
    "ReplicationPad1d": _PADDING,
    "ReplicationPad2d": _PADDING,
    "SyncBatchNorm": "there is one process: it is BatchNorm2d here",
    "Unfold": "it is autodiff.sliding_window_view(x, window, axis) here",
    "Upsample": "call autodiff.repeat(x, factor, axis) in forward, for each axis",
    "ZeroPad1d": _PADDING,
    "ZeroPad2d": _PADDING,
}
"""Layers that ``nn`` lacks."""

FUNCTIONS = {
    "adaptive_max_pool2d": _POOLING,
    "cosine_similarity": "divide both by autodiff.norm and call autodiff.vecdot",
    "gumbel_softmax": "softmax of the logits - log(-log(autodiff.random.uniform(size=...)))",
    "interpolate": "call autodiff.repeat(x, factor, axis) for each axis",
    "normalize": "it is x / autodiff.norm(x, axis=..., keepdims=True) here",
    "one_hot": "it is autodiff.eye(n)[labels] here",
    "pairwise_distance": "it is autodiff.norm(x - y, axis=-1) here",
    "unfold": "it is autodiff.sliding_window_view(x, window, axis) here",
    "upsample": "call autodiff.repeat(x, factor, axis) for each axis",
}
"""Functions that ``nn.functional`` lacks."""


def called_here(name: str, advice: Mapping[str, str]) -> str:
    """Return what to say of a name that is missing; nothing of one that is unknown.

    >>> called_here("ZeroPad2d", LAYERS), called_here("relu_", FUNCTIONS), called_here("dog", {})
    ('; call autodiff.pad(x, pad_width, mode) in forward', '; it is autodiff.relu here', '')
    """
    if name in advice:
        return f"; {advice[name]}"
    bare = name.removesuffix("_")
    return f"; it is autodiff.{bare} here" if hasattr(ad, bare) else ""
