"""Lessons: the catalogue, the samples, and the hand-off from a launch to a lesson."""
