"""How many bytes all smoke tests of a process may hold at a time: one tenant's answers must not end the operator."""


class Budget:
    """Bytes that can be taken and given back. Nobody waits for them: a test that gets none is tried again later."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.left = total

    def take(self, count: int) -> bool:
        """Take so many bytes, if there are."""
        if count > self.left:
            return False
        self.left -= count
        return True

    def give(self, count: int) -> None:
        """Give back what was taken."""
        self.left += count


class Lease:
    """What one holder has taken so far."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.taken = 0

    def grow(self, count: int) -> bool:
        """Take more."""
        if not self._budget.take(count):
            return False
        self.taken += count
        return True

    def end(self) -> None:
        """Give all of it back; a second time gives nothing."""
        self._budget.give(self.taken)
        self.taken = 0
