"""A district whose LMS tells of its classes on loopback."""

from tests.integration.lms_with_classes import district, house, peer, platform

__all__ = ["district", "house", "peer", "platform"]
