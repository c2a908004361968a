"""The contract kit at work: on made-up vendors that keep it, and that break it in one place each."""
