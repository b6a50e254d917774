"""What can go wrong between records and goldens."""


class GoldenError(Exception):
    """Goldens cannot be recorded or checked; the message says what to change."""
