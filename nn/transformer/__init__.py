"""The Transformer: attention, feed-forward layers, residuals and norms."""

__all__: list[str] = []
