"""People, identities, sign-in."""
