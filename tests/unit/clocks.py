"""A clock for tests that would otherwise have to wait."""


class Clock:
    """Gives `now`, in seconds, which moves only when a test changes it."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
