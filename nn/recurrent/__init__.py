"""Networks that carry a state from step to step."""

__all__: list[str] = []
