"""From one sequence to another of another length."""

from nn.seq2seq.decoder import Decoder
from nn.seq2seq.encoder import Encoder
from nn.seq2seq.model import Seq2Seq

__all__ = ["Decoder", "Encoder", "Seq2Seq"]
