"""Stands between a curriculum's lessons and the schools that use them."""

__version__ = "0.1.0"
