"""Neural networks from graph operations alone."""
