"""Time that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """A clock for tests."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds
