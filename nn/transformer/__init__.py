"""Transformers: encoder, decoder, both, and a language model."""

from nn.transformer.gpt import GPT, GPTConfig
from nn.transformer.layers import TransformerDecoderLayer, TransformerEncoderLayer
from nn.transformer.stacks import Transformer, TransformerDecoder, TransformerEncoder

__all__ = [
    "GPT",
    "GPTConfig",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]
