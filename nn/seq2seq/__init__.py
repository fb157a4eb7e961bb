"""From one sequence to another of another length."""

__all__: list[str] = []
