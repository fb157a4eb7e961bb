"""The package's version, its only statement."""

__version__ = "0.1.0"
