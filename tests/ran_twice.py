"""The one failure that is never given a second look: something ran twice (packaging/run-tests)."""


class RanTwice(AssertionError):
    """However seldom it is seen, once is enough."""
