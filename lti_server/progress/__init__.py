"""Attempts, summaries, and the grades that go back."""
