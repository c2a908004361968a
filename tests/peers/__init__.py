"""Servers that stand in for the other side: each speaks the real protocol on loopback."""
