"""Weighted sums whose weights are computed from what is summed."""

__all__: list[str] = []
