"""The training loop, and what it remembers."""

__all__: list[str] = []
