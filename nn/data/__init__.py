"""Examples in batches."""

__all__: list[str] = []
