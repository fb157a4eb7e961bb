"""Networks that carry a state from step to step."""

from nn.recurrent.cells import GRUCell, LSTMCell, RNNCell
from nn.recurrent.layers import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell"]
