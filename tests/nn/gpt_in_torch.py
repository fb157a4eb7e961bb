"""The GPT of nn, written in PyTorch from basic operations, with parameters of the same names."""

from __future__ import annotations

import math

from tests.nn import torch

if torch is not None:
    from torch.nn import functional as F  # noqa: N812 - PyTorch's custom

    class Attention(torch.nn.Module):
        def __init__(self, config, **kind):
            super().__init__()
            size = config.embed_dim
            self.config = config
            self.in_proj_weight = torch.nn.Parameter(torch.empty(3 * size, size, **kind))
            bias = torch.nn.Parameter(torch.empty(3 * size, **kind)) if config.bias else None
            self.register_parameter("in_proj_bias", bias)
            self.out_proj = torch.nn.Linear(size, size, bias=config.bias, **kind)

        def forward(self, x):
            n, t, size = x.shape
            heads = self.config.num_heads
            parts = F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
            q, k, v = [part.reshape(n, t, heads, size // heads).transpose(1, 2) for part in parts]
            if self.config.positions == "rotary":
                q, k = rotated(q), rotated(k)
            scores = q @ k.transpose(-1, -2) / math.sqrt(size // heads)
            later = torch.ones(t, t, dtype=torch.bool).triu(1)
            weights = torch.softmax(scores.masked_fill(later, -torch.inf), -1)
            return self.out_proj((weights @ v).transpose(1, 2).reshape(n, t, size))

    def rotated(x):
        half = x.shape[-1] // 2
        rates = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
        angles = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * rates
        cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        first, second = x[..., :half], x[..., half:]
        return torch.cat([first * cosine - second * sine, first * sine + second * cosine], -1)

    class Layer(torch.nn.Module):
        def __init__(self, config, **kind):
            super().__init__()
            size, inner = config.embed_dim, config.dim_feedforward or 4 * config.embed_dim
            self.self_attn = Attention(config, **kind)
            self.linear1 = torch.nn.Linear(size, inner, bias=config.bias, **kind)
            self.linear2 = torch.nn.Linear(inner, size, bias=config.bias, **kind)
            self.norm1 = torch.nn.LayerNorm(size, bias=config.bias, **kind)
            self.norm2 = torch.nn.LayerNorm(size, bias=config.bias, **kind)

        def forward(self, x):
            x = x + self.self_attn(self.norm1(x))
            hidden = F.gelu(self.linear1(self.norm2(x)), approximate="tanh")
            return x + self.linear2(hidden)

    class TorchGPT(torch.nn.Module):
        def __init__(self, config, dtype="float32"):
            super().__init__()
            kind = {"dtype": getattr(torch, dtype)}
            size = config.embed_dim
            self.token_embedding = torch.nn.Embedding(config.vocab_size, size, **kind)
            if config.positions == "learned":
                self.positions = torch.nn.Embedding(config.context_length, size, **kind)
            self.layers = torch.nn.ModuleList(
                [Layer(config, **kind) for _ in range(config.num_layers)]
            )
            self.norm = torch.nn.LayerNorm(size, bias=config.bias, **kind)
            self.lm_head = torch.nn.Linear(size, config.vocab_size, bias=False, **kind)
            if config.tie_weights:
                self.lm_head.weight = self.token_embedding.weight
            self.config = config

        def forward(self, tokens):
            x = self.token_embedding(tokens)
            if self.config.positions == "learned":
                x = x + self.positions.weight[: tokens.shape[1]]
            for layer in self.layers:
                x = layer(x)
            return self.lm_head(self.norm(x))
