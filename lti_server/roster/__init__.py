"""Sections, memberships and their sources."""
