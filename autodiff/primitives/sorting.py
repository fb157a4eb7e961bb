"""Order: sorting, ranking, searching, sets."""
