"""What Sphinx does here that no package of it does."""
