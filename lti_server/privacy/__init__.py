"""Contracts, gates, grants, keys and the log: what may come in, stay and go out."""
